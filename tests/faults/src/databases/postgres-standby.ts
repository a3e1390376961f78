import { setTimeout as sleep } from 'node:timers/promises'
import {
  type PostgresServer,
  type PostgresStandby,
  replicateSynchronously,
  startPostgres,
  startProxy,
  startStandby,
  type TcpProxy,
} from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { receiptIn } from '../ledger.ts'
import type { Database, Shop } from './database.ts'
import {
  asked,
  createBooks,
  passingFaults,
  postgresBooks,
  recordedBodies,
  SETTINGS,
} from './postgres.ts'

interface Pair {
  primary: PostgresServer
  standby: PostgresStandby
  readonly isSynchronous: boolean
  /** The address at which the shop expects its database. */
  readonly address: TcpProxy
  readonly onRecord: OnRecord
}

/** Data on a server that a failover may lose. */
export interface OnRecord {
  /** The names by which the ledger knows the data on this server. */
  readonly names: (pool: Pool) => Promise<Set<string>>
  /** A number that grows with the data, and is cheap enough to ask for often. */
  readonly count: (pool: Pool) => Promise<number>
}

/** Postgres with one standby that takes over, and then gets a new standby of its own. */
export async function startReplicatedDatabase(
  isSynchronous: boolean,
  onRecord: OnRecord = receipts,
): Promise<Database> {
  const primary = await startPostgres({ settings: SETTINGS })
  await createBooks(primary)
  const standby = await startStandby(primary)
  await replicateSynchronously(primary, isSynchronous)
  const address = await startProxy(primary.port)
  const pair: Pair = { primary, standby, isSynchronous, address, onRecord }

  return {
    ports: [address.port],
    reachedBy: ([port]) => ({
      url: Object.assign(new URL(primary.url), { hostname: '127.0.0.1', port: `${port}` }).href,
    }),
    completion: /COMMIT/,
    settings: Object.entries({
      ...SETTINGS,
      synchronous_standby_names: isSynchronous ? "'*'" : "''",
    })
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
    faults: { ...standbyFaults(pair), ...passingFaults(() => pair.primary) },
    mayLose: !isSynchronous,
    ordersWait: true,
    ...postgresBooks(() => pair.primary),
    whole: async () => {},
    async stop() {
      await address.stop()
      await pair.standby.stop()
      await pair.primary.stop()
    },
  }
}

function standbyFaults(pair: Pair): Database['faults'] {
  return {
    // While the standby is away, COMMIT waits under synchronous replication, for longer than the
    // store waits for it.
    async 'standby away'(random) {
      pair.standby.cutOff()
      await sleep(random.between(200, 5_000))
      await pair.standby.reconnect()
      await pair.standby.caughtUp()
    },

    async 'failover to the standby'(random, { book }) {
      const had = await asked(pair.primary, pair.onRecord.count)
      pair.standby.cutOff()
      await untilUnreplicated(pair, had)
      await sleep(random.between(0, 1_000))
      for (const name of await failOver(pair)) book.lost.add(name)
    },

    async 'pool on the standby'(random, shop) {
      const { address, primary, standby } = pair
      address.retarget(standby.port)
      address.cut()
      await sleep(random.between(0, 500))
      await probe(shop, `probe-${random.between(0, 2 ** 30)}`)
      address.retarget(primary.port)
      address.cut()
    },
  }
}

/**
 * Waits until a failover would lose something: a commit that the standby has not received, or one
 * that waits for it. For five seconds at most, because there may be no order left.
 */
async function untilUnreplicated({ primary, onRecord }: Pair, had: number): Promise<void> {
  for (const until = Date.now() + 5_000; Date.now() < until; await sleep(20)) {
    if ((await asked(primary, onRecord.count)) > had) return
    if (await asked(primary, commitsWait)) return
  }
}

async function commitsWait(pool: Pool): Promise<boolean> {
  const text = "select from pg_stat_activity where wait_event = 'SyncRep'"
  return ((await pool.query(text)).rowCount ?? 0) > 0
}

/**
 * Kills the primary and promotes its standby. The shop is redirected only after the state of both
 * was read. Returns what was on record on the dead primary and is not on the standby: the failover
 * lost it.
 */
async function failOver(pair: Pair): Promise<string[]> {
  const { primary: old, standby: promoted, address, isSynchronous, onRecord } = pair
  address.refuse()
  address.cut()
  await old.crash()
  await promoted.promote()
  const kept = await asked(promoted, onRecord.names)
  pair.primary = promoted
  address.retarget(promoted.port)
  await address.accept()

  // The old primary is restarted to read its state; no client of the shop is led to it.
  await old.restart()
  const had = await asked(old, onRecord.names)
  await old.stop()
  pair.standby = await startStandby(promoted)
  await replicateSynchronously(promoted, isSynchronous)
  return [...had].filter((name) => !kept.has(name))
}

const receipts: OnRecord = {
  names: async (pool) => new Set([...(await recordedBodies(pool))].map((body) => receiptIn(body))),
  count: async (pool) => (await recordedBodies(pool)).size,
}

/**
 * Sends an order that no server may run while the pool is on a standby. No other order has its key.
 */
async function probe({ urls, hasBegun, book }: Shop, order: string): Promise<void> {
  await Promise.all(
    urls.map(async (url, index) => {
      const key = `${order}-${index}`
      const answer = await fetch(`${url}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
        body: JSON.stringify({ order: key, kind: 'refused', takesMs: 0 }),
        signal: AbortSignal.timeout(3_000),
      }).catch(() => undefined)
      if (hasBegun(key)) book.findings.ranOnReplica.push(`${key}: ${answer?.status}`)
      else if (answer !== undefined && answer.status !== 503) {
        book.findings.ranOnReplica.push(`${key}: answered ${answer.status}`)
      }
      await answer?.arrayBuffer()
    }),
  )
}

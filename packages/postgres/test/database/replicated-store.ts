import { migrate } from '@oncekey/postgres'
import {
  type PostgresServer,
  type PostgresStandby,
  replicateSynchronously,
  startPostgres,
  startProxy,
  startStandby,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import { Pool, type PoolConfig } from 'pg'

/** A migrated primary with a standby, and one address through which an application reaches them. */
export interface ReplicatedStore {
  readonly primary: PostgresServer
  readonly standby: PostgresStandby
  /** The address: it leads to the primary, and after `failOver` to the old standby. */
  readonly url: string
  readonly address: TcpProxy
  pool(config?: PoolConfig): Pool
  /** Queries a server directly. */
  ask<Row extends object>(of: PostgresServer, text: string, values?: unknown[]): Promise<Row[]>
  /** How many backends wait for a standby. */
  waitForStandby(): Promise<number>
  /** Disconnects the standby. From then on COMMIT waits for it. */
  loseStandby(): Promise<void>
  /** Kills the primary, promotes the standby, and lets the address lead to it. */
  failOver(): Promise<void>
  stop(): Promise<void>
}

export async function replicatedStore(
  settings: Record<string, string> = {},
): Promise<ReplicatedStore> {
  const pools: Pool[] = []
  const own = new Map<PostgresServer, Pool>()
  const primary = await startPostgres({ settings })
  const pool = (connectionString: string, config: PoolConfig = {}): Pool => {
    const made = new Pool({ connectionString, ...config })
    made.on('error', () => {})
    pools.push(made)
    return made
  }
  const ownPool = (server: PostgresServer): Pool => {
    const made = own.get(server) ?? pool(server.url)
    own.set(server, made)
    return made
  }
  await migrate(ownPool(primary))
  await ownPool(primary).query('create table orders (id text primary key)')
  const standby = await startStandby(primary)
  const address = await startProxy(primary.port)
  const url = address.through(primary.url)

  return {
    primary,
    standby,
    url,
    address,
    pool: (config) => pool(url, config),
    ask: async (of, text, values) => (await ownPool(of).query(text, values)).rows,
    waitForStandby: async () => {
      const { rowCount } = await ownPool(primary).query(
        "select from pg_stat_activity where wait_event = 'SyncRep'",
      )
      return rowCount ?? 0
    },
    async loseStandby() {
      await replicateSynchronously(primary, true)
      standby.cutOff()
      await waitFor(
        async () =>
          (await ownPool(primary).query('select from pg_stat_replication')).rowCount === 0,
        { what: 'the primary to miss its standby' },
      )
    },
    async failOver() {
      await primary.crash()
      await standby.promote()
      address.retarget(standby.port)
    },
    async stop() {
      await Promise.all(pools.map((each) => each.ended || each.end()))
      await address.stop()
      await standby.stop()
      await primary.stop()
    },
  }
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findSystemPostgres } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import type { Database } from '../databases/database.ts'
import { faultMaker } from '../fault-maker.ts'
import type { KeptProcess } from '../kept-process.ts'
import { startDatabase } from '../stage.ts'
import { startWires } from '../wire.ts'
import { deliveredAgain } from './afterwards.ts'
import { eventBooks, eventsOnRecord } from './books.ts'
import { startBroker } from './broker.ts'
import { consumersOn, type Release } from './consumed.ts'
import { auditEvents, type EventCounts, type EventFindings } from './event-audit.ts'
import { faultPlan } from './fault-plan.ts'
import { openLog } from './open-log.ts'
import { KEYS } from './operation.ts'
import type { EventCampaignOptions } from './options.ts'
import { keepPace } from './pace.ts'
import { type Produced, producer } from './producer.ts'
import { type RelayProcess, startRelayProcess } from './relay-process.ts'
import { receiveWebhooks } from './webhooks.ts'
import { startWorkerProcess, type WorkerProcess } from './worker-process.ts'

export interface EventCampaignResult {
  readonly options: EventCampaignOptions
  /** How many operations the producers began within the time. */
  readonly begun: number
  readonly settings: string
  readonly findings: EventFindings
  readonly counts: EventCounts
  readonly produced: Produced
  readonly faults: ReadonlyMap<string, number>
  readonly seconds: number
}

/**
 * Produces and consumes events and makes faults. At the end every event in the database must have
 * reached every consumer. `tell` is called with the progress.
 */
export async function runEventCampaign(
  options: EventCampaignOptions,
  tell: (progress: string) => void = () => {},
): Promise<EventCampaignResult> {
  const startedAt = performance.now()
  const stops: (() => unknown)[] = []
  try {
    const folder = mkdtempSync(join(tmpdir(), 'oncekey-events-'))
    stops.push(() => rmSync(folder, { recursive: true, force: true }))
    const ledger = join(folder, 'taken')
    const binDir = findSystemPostgres()
    const database = await startDatabase(options, { onRecord: eventsOnRecord, binDir })
    stops.push(database.stop)
    await prepare(options, database)
    const broker = await startBroker()
    stops.push(broker.stop)
    const { store, broken } = options
    const direct = openLog(store, database.reachedBy(database.ports))
    stops.push(direct.close)
    if (direct.pool !== undefined) stops.push((await receiveWebhooks(direct.pool, ledger)).stop)
    const startRelay = ({ name, release }: NamedRelay): Promise<RelayProcess> =>
      startRelayProcess(database, { name, release, store, broken, ledger, broker: broker.url })
    const relays = await Promise.all(RELAYS.map(startRelay))
    stops.push(() => Promise.all(relays.map((relay) => relay.stop())))
    const wires = await startWires(database.ports)
    stops.push(wires.stop)
    const own = openLog(options.store, database.reachedBy(wires.ports))
    stops.push(own.close)
    const workers: WorkerProcess[] = []
    if (own.pool !== undefined) {
      for (let at = 0; at < 2; at++) workers.push(await startWorkerProcess(database))
      stops.push(() => Promise.all(workers.map((worker) => worker.stop())))
    }

    const { produced, produce } = producer(own)
    const lost = new Set<string>()
    const faults = faultMaker(
      faultPlan(options, { database, broker, relays, workers, wires, lost }),
    )
    const consumers = consumersOn(options.store)
    const pace = keepPace(own.log, consumers, faults)
    stops.push(pace.stop)
    const telling = setInterval(() => {
      const waitsFor = faults.underWay().join(', ')
      tell(
        `${secondsSince(startedAt)} s: ${pace.slowest()}, ${faults.pending()} faults due: ${waitsFor}`,
      )
    }, 30_000)
    stops.push(() => clearInterval(telling))
    const begun = await inTurn(options, async (number) => {
      await faults.room(number)
      await pace.room()
      faults.at(number)
      faults.mustBeMended()
      if (number % 250 === 0) {
        tell(
          `${secondsSince(startedAt)} s: ${number} of ${options.operations} operations, ${faults.made()} faults`,
        )
      }
      await produce(options.seed, number)
    })
    pace.stop()
    tell(`produced after ${secondsSince(startedAt)} s`)
    await faults.ended()
    tell('waiting for all consumers to have everything')
    const books = eventBooks(options.store, database)
    stops.push(books.close)
    const findings = noFindings()
    const counts = await auditEvents(
      {
        books,
        consumers,
        produced,
        ledger,
        collect: () => broker.noteAll(ledger),
        lost,
        // Events that a dump lacked are lost as well.
        mayLose: database.mayLose || options.store === 'postgres',
        losesUnseen: options.store === 'redis-sentinel' || !options.durable,
      },
      findings,
      tell,
    )
    await leave([...relays, ...workers], findings)
    findings.stillHeld.push(...(await books.held()))
    if (findings.unsettled.length === 0) {
      const { log } = direct
      const last = () => startRelay({ name: 'relay-last', release: 'new' })
      const again = await deliveredAgain({ log, books, consumers, ledger, startRelay: last })
      findings.deliveredAgain.push(...again)
    }
    return {
      options,
      begun,
      settings: database.settings,
      findings,
      counts,
      produced,
      faults: faults.byName,
      seconds: (performance.now() - startedAt) / 1_000,
    }
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

function secondsSince(at: number): number {
  return Math.round((performance.now() - at) / 1_000)
}

/**
 * Creates the tables for effects, the keys by which producers number their events, and the types of
 * both releases on record, before there is an event.
 */
async function prepare(
  { store }: EventCampaignOptions,
  { ports, reachedBy }: Database,
): Promise<void> {
  const { log, pool, close } = openLog(store, reachedBy(ports))
  try {
    if (pool !== undefined) await createTables(pool)
    for (const { name, types } of consumersOn(store)) {
      for (const release of ['old', 'new'] as const) {
        const list = types?.[release] ?? null
        await log.subscribe({ consumer: name, types: list, startAt: 'beginning' })
      }
    }
  } finally {
    await close()
  }
}

async function createTables(pool: Pool): Promise<void> {
  await pool.query('alter table effects add consumer text, add at bigserial')
  await pool.query('create table ordering_keys (number int, key text primary key, n int not null)')
  await pool.query(
    `insert into ordering_keys select i, 'key-' || i, 0 from generate_series(1, $1) i`,
    [KEYS],
  )
}

/** Runs this many at once, one after the other. */
async function inTurn(
  { operations, concurrency, minutes }: EventCampaignOptions,
  act: (number: number) => Promise<void>,
): Promise<number> {
  const until = performance.now() + minutes * 60_000
  let begun = 0
  const work = async (): Promise<void> => {
    while (begun < operations && performance.now() < until) await act(++begun)
  }
  await Promise.all(Array.from({ length: concurrency }, work))
  return begun
}

/** Stops the relays gracefully; afterwards none may hold a lease. */
async function leave(relays: readonly KeptProcess[], findings: EventFindings): Promise<void> {
  for (const relay of relays) await relay.end(20_000)
  for (const { crashes } of relays) findings.crashes.push(...crashes)
}

interface NamedRelay {
  readonly name: string
  readonly release: Release
}

/**
 * One relay of each release always runs, because the log drops the types of a release without
 * relays.
 */
const RELAYS: readonly NamedRelay[] = [
  { name: 'relay-old', release: 'old' },
  { name: 'relay-new', release: 'new' },
  { name: 'relay-deployed', release: 'old' },
]

function noFindings(): EventFindings {
  return {
    missing: [],
    undoneThere: [],
    emittedTwice: [],
    undelivered: [],
    phantoms: [],
    doubleEffects: [],
    followUps: [],
    outOfOrder: [],
    unsettled: [],
    deliveredAgain: [],
    stillHeld: [],
    crashes: [],
  }
}

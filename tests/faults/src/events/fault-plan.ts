import { findSystemPostgres } from '@oncekey/test-servers'
import type { Database } from '../databases/database.ts'
import type { FaultPlan } from '../fault-maker.ts'
import type { Random } from '../random.ts'
import { schedule } from '../schedule.ts'
import { wireFaults } from '../server-faults.ts'
import type { Wires } from '../wire.ts'
import type { Broker } from './broker.ts'
import type { EventCampaignOptions } from './options.ts'
import { deployments, relayFaults } from './relay-faults.ts'
import type { RelayProcess } from './relay-process.ts'
import { restoreDump } from './restore.ts'
import { type WorkerProcess, workerFaults } from './worker-process.ts'

/** The targets of faults. */
export interface Targets {
  readonly database: Database
  readonly broker: Broker
  readonly relays: readonly RelayProcess[]
  /** Workers of webhooks; none if the log is not on Postgres. */
  readonly workers: readonly WorkerProcess[]
  /** The proxies of the producers. */
  readonly wires: Wires
  /** Collects what failovers and dumps lost. */
  readonly lost: Set<string>
}

/**
 * The faults of a seed. Relays, workers and the other targets each have their own faults, one after
 * the other.
 */
export function faultPlan(
  { store, seed, operations, faults, only }: EventCampaignOptions,
  targets: Targets,
): FaultPlan {
  const { database, relays, workers } = targets
  const named = <Kind extends object>(all: Kind): string[] =>
    Object.keys(all).filter((name) => name.includes(only))
  const ofRelays = { ...relayFaults, ...deployments }
  const ofWorkers = workers.length > 0 ? workerFaults : {}
  const elsewhere = { ...elsewhereFaults(targets), ...(store === 'postgres' && restores(targets)) }
  const due = schedule({
    seed,
    orders: operations,
    faults,
    servers: relays.length,
    serverFaults: named({ ...ofRelays, ...ofWorkers }),
    databaseFaults: named(elsewhere),
  }).map((fault) => {
    if (fault.name in deployments) return { ...fault, target: DEPLOYED }
    return fault.name in ofWorkers ? { ...fault, target: relays.length } : fault
  })
  return {
    due,
    database,
    async make({ name, target, random }) {
      if (name in ofWorkers) await ofWorkers[name]?.(random.oneOf(workers), random)
      else if (target === 'database') await elsewhere[name]?.(random)
      else {
        await ofRelays[name as keyof typeof ofRelays]?.(relays[target] as RelayProcess, random)
      }
    },
  }
}

type Faults = Readonly<Record<string, (random: Random) => Promise<void>>>

function elsewhereFaults({ database, broker, wires, lost }: Targets): Faults {
  const shop = {
    urls: [],
    hasBegun: () => false,
    book: { lost, findings: { ranOnReplica: [] } },
  }
  const ofProducers = wireFaults<Wires>('of producers', /COMMIT|evalsha/i, (wire) => wire)
  const bound = <Target>(
    all: Readonly<Record<string, (random: Random, target: Target) => Promise<void>>>,
    target: Target,
  ): Faults =>
    Object.fromEntries(
      Object.entries(all).map(([name, make]) => [name, (random) => make(random, target)]),
    )
  const swapped = Object.fromEntries(
    Object.entries(ofProducers).map(([name, make]) => [
      name,
      (random: Random) => make(wires, random),
    ]),
  )
  return { ...bound(database.faults, shop), ...swapped, ...broker.faults }
}

function restores({ database, relays, workers, wires, lost }: Targets): Faults {
  const address = database.reachedBy(database.ports)
  if (!('url' in address) || findSystemPostgres() === undefined) return {}
  const restorable = {
    url: address.url,
    first: [wires],
    later: [...relays, ...workers].map((process) => process.database),
    lost,
  }
  return { 'dump restored': (random) => restoreDump(restorable, random) }
}

/** The index of the relay that is redeployed. Other relays run its releases, too. */
const DEPLOYED = 2

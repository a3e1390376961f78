import { audit } from './audit.ts'
import { type Ledger, ledger } from './ledger.ts'
import type { CampaignOptions } from './options.ts'
import { type Order, orderOf } from './order.ts'
import { type ScheduledFault, schedule } from './schedule.ts'
import { serverFaults } from './server-faults.ts'
import { type Shopper, shopper } from './shopper.ts'
import { type Stage, setStage } from './stage.ts'

export interface CampaignResult {
  readonly options: CampaignOptions
  readonly settings: string
  readonly ledger: Ledger
  /** By name: how often it was made. */
  readonly faults: ReadonlyMap<string, number>
  readonly requests: number
  /** Orders that had no answer while faults were made, and got it afterwards. */
  readonly settledLater: number
  readonly seconds: number
}

/**
 * Orders are placed, faults are made, and when both have ended the books are read: they must balance
 * whatever happened. `tell` hears how far it is.
 */
export async function runCampaign(
  options: CampaignOptions,
  tell: (progress: string) => void = () => {},
): Promise<CampaignResult> {
  const startedAt = performance.now()
  const book = ledger()
  const stage = await setStage(options)
  let requests = 0
  try {
    const pickUrl = (): string => {
      const server = stage.servers[Math.floor(Math.random() * stage.servers.length)]
      return server?.url ?? ''
    }
    const clients = shopper(pickUrl, book, {
      onRequest: () => requests++,
      // Where its record is lost, whoever comes first has the key.
      misuses: !stage.database.mayLose,
    })
    const faults = faultMaker(options, stage, book)
    await placeAll(options, clients, async (begun) => {
      await faults.room(begun)
      faults.at(begun)
      faults.mustBeMended()
      if (begun % 1_000 === 0) tell(`${begun} of ${options.orders} orders, ${faults.made()} faults`)
    })
    await faults.ended()
    tell('asking for the answers that are missing, and for all of them again')
    const settledLater = await audit(options, stage, clients, book)
    return {
      options,
      settings: stage.database.settings,
      ledger: book,
      faults: faults.byName,
      requests,
      settledLater,
      seconds: (performance.now() - startedAt) / 1_000,
    }
  } finally {
    await stage.stop()
  }
}

/** So many at once, one after the other. */
async function placeAll(
  { seed, orders, concurrency }: CampaignOptions,
  clients: Shopper,
  onBegin: (begun: number) => Promise<void>,
): Promise<void> {
  let begun = 0
  const next = async (): Promise<Order | undefined> => {
    if (begun === orders) return undefined
    const number = ++begun
    await onBegin(number)
    return orderOf(seed, number)
  }
  const place = async (): Promise<void> => {
    for (let order = await next(); order !== undefined; order = await next()) {
      await clients.place(order)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, place))
}

interface FaultMaker {
  /** Waits for the fault before, where orders have to. */
  room(begun: number): Promise<void>
  /** Makes those that are due. */
  at(begun: number): void
  made(): number
  readonly byName: ReadonlyMap<string, number>
  /** Throws if one could not be made or mended: the campaign would go on with less than it should have. */
  mustBeMended(): void
  /** All are made and mended. Rejects with the first that could not be. */
  ended(): Promise<void>
}

function faultMaker(
  { seed, orders, faults, only }: CampaignOptions,
  stage: Stage,
  book: Ledger,
): FaultMaker {
  const shop = {
    urls: stage.servers.map(({ url }) => url),
    hasBegun: (order: string) => stage.gateway.charges.has(order),
    book,
  }
  const ofServers = serverFaults(stage.database.completion)
  const ofDatabase = stage.database.faults
  const due = schedule({
    seed,
    orders,
    faults,
    servers: stage.servers.length,
    serverFaults: Object.keys(ofServers).filter((name) => name.includes(only)),
    databaseFaults: Object.keys(ofDatabase).filter((name) => name.includes(only)),
  })
  const byName = new Map<string, number>()
  // Targets have their faults at the same time as one another, each its own one by one.
  const lanes = new Map<ScheduledFault['target'], Promise<void>>()
  let made = 0
  let broken: { readonly error: unknown } | undefined

  async function make({ name, target, random }: ScheduledFault): Promise<void> {
    if (target === 'database') await ofDatabase[name]?.(random, shop)
    else await ofServers[name]?.(stage.servers[target] as Stage['servers'][number], random)
    byName.set(name, (byName.get(name) ?? 0) + 1)
    made++
  }

  return {
    byName,
    made: () => made,
    async room(begun) {
      const isDue = (due[0]?.atOrder ?? Number.POSITIVE_INFINITY) <= begun
      if (stage.database.ordersWait && isDue) await lanes.get('database')
    },
    at(begun) {
      while (due[0] !== undefined && due[0].atOrder <= begun) {
        const fault = due.shift() as ScheduledFault
        const before = lanes.get(fault.target) ?? Promise.resolve()
        const after = before.then(() => make(fault))
        after.catch((error) => {
          broken ??= { error }
        })
        lanes.set(fault.target, after)
      }
    },
    mustBeMended() {
      if (broken !== undefined) throw broken.error
    },
    async ended() {
      await Promise.all(lanes.values())
      await stage.database.whole()
    },
  }
}

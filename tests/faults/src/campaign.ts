import { audit } from './audit.ts'
import { type FaultPlan, faultMaker } from './fault-maker.ts'
import { type Ledger, ledger } from './ledger.ts'
import type { CampaignOptions } from './options.ts'
import { type Order, orderOf } from './order.ts'
import { schedule } from './schedule.ts'
import { serverFaults } from './server-faults.ts'
import { type Shopper, shopper } from './shopper.ts'
import { type Stage, setStage } from './stage.ts'

export interface CampaignResult {
  readonly options: CampaignOptions
  readonly settings: string
  readonly ledger: Ledger
  /** How often each fault was made, by name. */
  readonly faults: ReadonlyMap<string, number>
  readonly requests: number
  /** Orders without an answer during the faults that got one afterwards. */
  readonly settledLater: number
  readonly seconds: number
}

/**
 * Places orders and makes faults. When both have ended, it reads the books, which must balance
 * whatever happened. `tell` is called with the progress.
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
      // No misuse if records may be lost: after a loss the first request to arrive gets the key,
      // even a wrong one.
      misuses: !stage.database.mayLose,
    })
    const faults = faultMaker(faultsOf(options, stage, book))
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

/** Runs this many at once, one after the other. */
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

function faultsOf(
  { seed, orders, faults, only }: CampaignOptions,
  stage: Stage,
  book: Ledger,
): FaultPlan {
  const shop = {
    urls: stage.servers.map(({ url }) => url),
    hasBegun: (order: string) => stage.gateway.charges.has(order),
    book,
  }
  const ofServers = serverFaults(stage.database.completion)
  const ofDatabase = stage.database.faults
  return {
    due: schedule({
      seed,
      orders,
      faults,
      servers: stage.servers.length,
      serverFaults: Object.keys(ofServers).filter((name) => name.includes(only)),
      databaseFaults: Object.keys(ofDatabase).filter((name) => name.includes(only)),
    }),
    database: stage.database,
    async make({ name, target, random }) {
      if (target === 'database') await ofDatabase[name]?.(random, shop)
      else await ofServers[name]?.(stage.servers[target] as Stage['servers'][number], random)
    },
  }
}

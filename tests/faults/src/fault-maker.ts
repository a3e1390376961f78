import type { Database } from './databases/database.ts'
import type { ScheduledFault } from './schedule.ts'

/** The faults of a campaign, and how they are made. */
export interface FaultPlan {
  /** In the order in which they come. */
  readonly due: ScheduledFault[]
  readonly database: Pick<Database, 'ordersWait' | 'whole'>
  /** Makes one and mends it again. */
  make(fault: ScheduledFault): Promise<void>
}

export interface FaultMaker {
  /** Waits for the previous fault, if orders have to. */
  room(begun: number): Promise<void>
  /** Makes those that are due. */
  at(begun: number): void
  made(): number
  /** Those that are due and not mended yet. */
  pending(): number
  /**
   * Those that are being made or mended now, and for how long: what a campaign that stands still
   * waits for.
   */
  underWay(): readonly string[]
  readonly byName: ReadonlyMap<string, number>
  /**
   * Throws if one could not be made or mended, because the campaign would continue with fewer
   * faults than planned.
   */
  mustBeMended(): void
  /** Resolves when all are made and mended. Rejects with the first that could not be. */
  ended(): Promise<void>
}

/** Makes the faults of a plan while a campaign reports its progress. */
export function faultMaker({ due, database, make }: FaultPlan): FaultMaker {
  const byName = new Map<string, number>()
  // Different targets have faults at the same time, and each target has its own one by one.
  const lanes = new Map<ScheduledFault['target'], Promise<void>>()
  const underWay = new Map<ScheduledFault, number>()
  let begun = 0
  let made = 0
  let broken: { readonly error: unknown } | undefined

  async function makeAndCount(fault: ScheduledFault): Promise<void> {
    underWay.set(fault, performance.now())
    try {
      await make(fault)
    } finally {
      underWay.delete(fault)
    }
    byName.set(fault.name, (byName.get(fault.name) ?? 0) + 1)
    made++
  }

  return {
    byName,
    made: () => made,
    pending: () => begun - made,
    underWay: () =>
      [...underWay].map(
        ([{ name, target }, since]) =>
          `${name} (${target}) for ${Math.round((performance.now() - since) / 1_000)} s`,
      ),
    async room(order) {
      const isDue = (due[0]?.atOrder ?? Number.POSITIVE_INFINITY) <= order
      if (database.ordersWait && isDue) await lanes.get('database')
    },
    at(order) {
      while (due[0] !== undefined && due[0].atOrder <= order) {
        begun++
        const fault = due.shift() as ScheduledFault
        const before = lanes.get(fault.target) ?? Promise.resolve()
        const after = before.then(() => makeAndCount(fault))
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
      await database.whole()
    },
  }
}

import type { Database } from './databases/database.ts'
import type { ScheduledFault } from './schedule.ts'

/** The faults of a campaign, and how they are made. */
export interface FaultPlan {
  /** The faults in the order in which they become due. */
  readonly due: ScheduledFault[]
  readonly database: Pick<Database, 'ordersWait' | 'whole'>
  /** Makes one fault and mends it again. */
  make(fault: ScheduledFault): Promise<void>
}

export interface FaultMaker {
  /** Waits until the previous fault is over, if the database asks that orders wait. */
  room(begun: number): Promise<void>
  /** Starts the faults that are due when `begun` orders have been started. */
  at(begun: number): void
  made(): number
  /** The number of faults that are due and not mended yet. */
  pending(): number
  /**
   * The faults that are being made or mended, and for how long. A campaign that stands still waits
   * for these.
   */
  underWay(): readonly string[]
  readonly byName: ReadonlyMap<string, number>
  /**
   * Throws if a fault could not be made or mended. Otherwise the campaign would continue with fewer
   * faults than planned.
   */
  mustBeMended(): void
  /**
   * Resolves when all faults are made and mended. Rejects with the error of the first that could
   * not be.
   */
  ended(): Promise<void>
}

/** Makes the faults of a plan while a campaign reports its progress. */
export function faultMaker({ due, database, make }: FaultPlan): FaultMaker {
  const byName = new Map<string, number>()
  // Different targets may have faults at the same time; the faults of one target come one after the
  // other.
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

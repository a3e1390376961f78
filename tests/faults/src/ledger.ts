import { type Order, outcomeOf } from './order.ts'

/** An answer that a client accepts as final. */
export interface FinalAnswer {
  readonly status: number
  readonly contentType: string | null
  readonly body: string
  readonly replayed: boolean
}

/**
 * Records what clients and receivers saw, at the time they saw it. The campaign trusts nothing
 * else.
 */
export interface Ledger {
  /** Records the answer that a client got. */
  saw(order: Order, answer: FinalAnswer): void
  /** Records that another request under the same key ran, or got a success. */
  sawMisuse(order: Order, status: number): void
  /** The first answer that a client got for each order. */
  readonly first: ReadonlyMap<number, FinalAnswer>
  readonly findings: Findings
  readonly counts: { answers: number; replays: number; misuses: number; lost: number }
  /** Receipts that a failover lost: they were on record, and the new primary does not have them. */
  readonly lost: Set<string>
  /**
   * Compares all answers to each order. Call it when every client has its last answer. Orders that
   * a failover lost are only counted if `mayLose`, and are findings otherwise.
   */
  conclude(mayLose: boolean): void
}

/** Findings that must not occur, in words, with the first orders of each. */
export interface Findings {
  readonly unequalReplays: string[]
  readonly wrongOutcomes: string[]
  readonly doubleEffects: string[]
  readonly lostSuccesses: string[]
  readonly strayEffects: string[]
  readonly eventsUnlikeEffects: string[]
  readonly doubleCharges: string[]
  readonly misusesAnswered: string[]
  readonly stuckKeys: string[]
  readonly crashes: string[]
  readonly leftOver: string[]
  readonly takenBack: string[]
  readonly answersUnlikeRecord: string[]
  readonly ranOnReplica: string[]
}

export function ledger(): Ledger {
  const first = new Map<number, FinalAnswer>()
  const seen = new Map<number, { readonly key: string; readonly answers: FinalAnswer[] }>()
  const lost = new Set<string>()
  const counts = { answers: 0, replays: 0, misuses: 0, lost: 0 }
  const findings: Findings = {
    unequalReplays: [],
    wrongOutcomes: [],
    doubleEffects: [],
    lostSuccesses: [],
    strayEffects: [],
    eventsUnlikeEffects: [],
    doubleCharges: [],
    misusesAnswered: [],
    stuckKeys: [],
    crashes: [],
    leftOver: [],
    takenBack: [],
    answersUnlikeRecord: [],
    ranOnReplica: [],
  }

  return {
    first,
    findings,
    counts,
    lost,
    saw(order, answer) {
      counts.answers++
      if (answer.replayed) counts.replays++
      const known = seen.get(order.number) ?? { key: order.key, answers: [] }
      seen.set(order.number, known)
      if (!first.has(order.number)) first.set(order.number, answer)
      if (known.answers.some((before) => isSame(before, answer))) return
      known.answers.push(answer)
      if (answer.status !== outcomeOf(order.kind).status) {
        findings.wrongOutcomes.push(`${order.key} (${order.kind}): ${shown(answer)}`)
      }
    },
    conclude(mayLose) {
      for (const [number, { key, answers }] of seen) {
        const isLost = (answer: FinalAnswer): boolean => lost.has(receiptIn(answer.body))
        const takenBack = answers.filter(isLost)
        if (mayLose) counts.lost += takenBack.length
        else findings.takenBack.push(...takenBack.map((answer) => `${key}: ${shown(answer)}`))
        const [kept, ...others] = answers.filter((answer) => !isLost(answer))
        if (kept !== undefined) first.set(number, kept)
        for (const other of others) {
          findings.unequalReplays.push(`${key}: ${kept && shown(kept)}, then ${shown(other)}`)
        }
      }
    },
    sawMisuse(order, status) {
      counts.misuses++
      if (status !== 422) findings.misusesAnswered.push(`${order.key}: ${status}`)
    },
  }
}

/**
 * Finds the receipt in an answer, which tells the runs of a handler apart. It is searched for as
 * text, because the answer of a wrong store may not be JSON.
 */
export function receiptIn(body: string): string {
  return /"receipt":"([^"]*)"/.exec(body)?.[1] ?? `none in ${body}`
}

function isSame(one: FinalAnswer, other: FinalAnswer): boolean {
  return (
    one.status === other.status && one.contentType === other.contentType && one.body === other.body
  )
}

function shown({ status, body, replayed }: FinalAnswer): string {
  return `${status} ${body}${replayed ? ' (replayed)' : ''}`
}

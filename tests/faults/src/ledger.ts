import { type Order, outcomeOf } from './order.ts'

/** An answer that a client takes for the end of it. */
export interface FinalAnswer {
  readonly status: number
  readonly contentType: string | null
  readonly body: string
  readonly replayed: boolean
}

/** What was seen from outside, written down as it was seen; the campaign believes nothing else. */
export interface Ledger {
  /** A client has its answer. */
  saw(order: Order, answer: FinalAnswer): void
  /** Somebody else's request under the same key got through, or was answered with a success. */
  sawMisuse(order: Order, status: number): void
  /** By order number: what its first client saw. */
  readonly first: ReadonlyMap<number, FinalAnswer>
  readonly findings: Findings
  readonly counts: { answers: number; replays: number; misuses: number }
}

/** What must not be. Each in words, the first few with their order. */
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
}

export function ledger(): Ledger {
  const first = new Map<number, FinalAnswer>()
  const counts = { answers: 0, replays: 0, misuses: 0 }
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
  }

  return {
    first,
    findings,
    counts,
    saw(order, answer) {
      counts.answers++
      if (answer.replayed) counts.replays++
      const before = first.get(order.number)
      if (before === undefined) {
        first.set(order.number, answer)
        if (answer.status !== outcomeOf(order.kind).status) {
          findings.wrongOutcomes.push(`${order.key} (${order.kind}): ${shown(answer)}`)
        }
      } else if (!isSame(before, answer)) {
        findings.unequalReplays.push(`${order.key}: ${shown(before)}, then ${shown(answer)}`)
      }
    },
    sawMisuse(order, status) {
      counts.misuses++
      if (status !== 422) findings.misusesAnswered.push(`${order.key}: ${status}`)
    },
  }
}

function isSame(one: FinalAnswer, other: FinalAnswer): boolean {
  return (
    one.status === other.status && one.contentType === other.contentType && one.body === other.body
  )
}

function shown({ status, body, replayed }: FinalAnswer): string {
  return `${status} ${body}${replayed ? ' (replayed)' : ''}`
}

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
  readonly counts: { answers: number; replays: number; misuses: number; lost: number }
  /** Receipts on record that the server which took over does not have: this is what a failover lost. */
  readonly lost: Set<string>
  /**
   * Compares all answers to an order with one another, once everybody has had the last. Those that a
   * failover lost are counted where it may lose any, and are a finding where it may not.
   */
  conclude(mayLose: boolean): void
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

/** What tells one run of a handler from another; searched for, since a wrong store's answer may be no JSON. */
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

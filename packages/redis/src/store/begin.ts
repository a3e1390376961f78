import { type Claim, type Decision, OncekeyError, warnOnce } from '@oncekey/core'
import { evictionGuard } from '../client/eviction.ts'
import { lostConnections } from '../client/lost-connections.ts'
import { type Replicas, tooFew } from '../client/replicas.ts'
import type { Replicated, ScriptRunner } from '../client/run-script.ts'
import { hanging, isRefusal, storeError } from '../client/store-error.ts'
import type { Attempts } from './attempts.ts'
import type { GiveBack } from './give-back.ts'
import type { LateEnds } from './late-ends.ts'
import type { ResolvedOptions } from './options.ts'
import type { Endings } from './record/endings.ts'
import { type RecordKeys, recordKeys } from './record/record-keys.ts'
import { responseIn } from './record/result-bytes.ts'
import { type ClaimReply, claimScript } from './scripts/claim.ts'

/** What a claim is decided with. */
export interface Beginning {
  readonly options: ResolvedOptions
  readonly scripts: ScriptRunner
  readonly ends: Endings
  readonly giveBack: GiveBack
  readonly late: LateEnds
  readonly wonBy: Attempts['wonBy']
}

/**
 * How the store decides a claim: by one script, which is sent again while the claim waits for the
 * end of a running attempt. A claim that is not answered `run` holds no key, however often the
 * client sent it.
 */
export function beginning({
  options,
  scripts,
  ends,
  giveBack,
  late,
  wonBy,
}: Beginning): (claim: Claim) => Promise<Decision<never>> {
  const { commandTimeoutMs, keyRetentionMs, replicas } = options
  const refuseEviction = evictionGuard(options)
  const lost = lostConnections(options.client)
  const resendsUnseen = options.client.resendsUnseen === true

  async function begin(claim: Claim): Promise<Decision<never>> {
    if (replicas !== undefined) checkLease(claim.leaseMs, replicas)
    await refuseEviction()
    const keys = recordKeys(claim)
    const lateEnd = late.tried(keys.id, claim.signal)
    if (lateEnd !== undefined && !(await lateEnd) && claim.signal.aborted) return IN_PROGRESS
    // The client may have sent the claim twice, and the first copy would take the key once it is
    // free, whatever the second one was answered. What got no answer is given back in `heard`.
    const lostBefore = lost.count
    const decision = await decide(claim, keys).catch((error) => {
      if (lost.count > lostBefore && isRefusal(error?.cause)) giveBack(claim, keys)
      throw error
    })
    const mayBeTwice = lost.count > lostBefore || (resendsUnseen && !isOver(decision))
    if (decision.kind !== 'run' && mayBeTwice) giveBack(claim, keys)
    return decision
  }

  async function decide(claim: Claim, keys: RecordKeys): Promise<Decision<never>> {
    if (claim.waitMs > 0) return decideOrWait(claim, keys)
    const askedAt = performance.now()
    return decisionOf(await ask(claim, keys, false), claim, keys, askedAt)
  }

  async function decideOrWait(claim: Claim, keys: RecordKeys): Promise<Decision<never>> {
    const waitUntil = performance.now() + claim.waitMs
    // Watching begins before the first claim is sent, so that an attempt that ends between the
    // reply and the wait is noticed.
    const watch = ends.watch(keys.id)
    try {
      let hasListened = ends.isListening()
      for (;;) {
        watch.reset()
        const askedAt = performance.now()
        const reply = await ask(claim, keys, ends.isListening())
        const leftMs = waitUntil - performance.now()
        const isOver = leftMs <= 0 || claim.signal.aborted
        if (reply.kind !== 'in-progress' || isOver) return decisionOf(reply, claim, keys, askedAt)
        if (!hasListened) {
          hasListened = true
          // After subscribing, claims once more, because the attempt may have ended before that.
          const isListening = await ends.listen(Math.min(leftMs, commandTimeoutMs))
          if (isListening && !claim.signal.aborted) continue
        }
        await watch.next(Math.min(leftMs, reply.leaseLeftMs), claim.signal)
        // The caller is gone and would not run the handler, so it must not win the key.
        if (claim.signal.aborted) return decisionOf(reply, claim, keys, askedAt)
      }
    } finally {
      watch.stop()
    }
  }

  async function ask(claim: Claim, keys: RecordKeys, listens: boolean): Promise<ClaimReply> {
    const question = { keys, claim, keyRetentionMs, listens, waits: false }
    if (scripts.hangs(claimScript, question)) throw storeError('store-unavailable', hanging())
    const reply = await heard(claim, keys, scripts.run(claimScript, question))
    if (replicas === undefined || !isOver(reply)) return reply
    // The client is about to get the response of a completion, and it is unknown how many servers
    // have that completion: the process that completed may have got an error because there were too
    // few, or no reply.
    const waiting = { ...question, waits: true }
    const again = await heard(claim, keys, scripts.runReplicated(claimScript, waiting, replicas))
    if (isOver(again.reply) && again.acknowledged < replicas.count) {
      throw storeError('store-unavailable', tooFew(again.acknowledged, replicas))
    }
    return again.reply
  }

  async function heard<Reply extends ClaimReply | Replicated<ClaimReply>>(
    claim: Claim,
    keys: RecordKeys,
    reply: Promise<Reply>,
  ): Promise<Reply> {
    try {
      return await reply
    } catch (error) {
      if (!isRefusal(error)) giveBack(claim, keys)
      throw storeError('store-unavailable', error)
    }
  }

  function decisionOf(
    reply: ClaimReply,
    claim: Claim,
    keys: RecordKeys,
    askedAt: number,
  ): Decision<never> {
    switch (reply.kind) {
      case 'run':
        return { kind: 'run', attempt: wonBy(claim.token, keys, { ...reply, askedAt }) }
      case 'replay':
        return {
          kind: 'replay',
          response: readable(() => responseIn(reply.result)),
          fingerprint: reply.fingerprint,
        }
      case 'in-progress':
        return { kind: 'in-progress', retryAfterMs: Math.min(reply.leaseLeftMs, 1000) }
      case 'newer':
        throw new OncekeyError(
          'store-too-new',
          `The record of this key has the form ${reply.version}, written by a newer release of @oncekey/redis. ` +
            'Finish that deploy: a release older than the records cannot share a Redis with them.',
        )
      default:
        return reply
    }
  }

  return begin
}

const IN_PROGRESS = { kind: 'in-progress', retryAfterMs: 1_000 } as const

function isOver({ kind }: ClaimReply | Decision<never>): boolean {
  return kind === 'replay' || kind === 'result-gone'
}

/**
 * A completion may come to Redis `timeoutMs` after the last renewal's third of the lease, and that
 * renewal may have waited as long itself.
 */
function checkLease(leaseMs: number, { timeoutMs }: Replicas): void {
  if (leaseMs >= 4 * timeoutMs) return
  warnOnce(
    `redis-replicas-lease:${leaseMs}:${timeoutMs}`,
    `redisStore(): \`leaseMs\` is ${leaseMs}, and \`replicas.timeoutMs\` ${timeoutMs}. While a replica is missing, a ` +
      'lease can end before the completion comes to Redis, and a retry would run the handler again: ' +
      `choose a \`leaseMs\` of at least ${4 * timeoutMs}.`,
  )
}

function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw storeError('store-unavailable', error)
  }
}

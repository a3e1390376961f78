import { randomUUID } from 'node:crypto'
import {
  type Attempt,
  type Claim,
  type Completion,
  completionForLater,
  type Decision,
  type Fingerprint,
  OncekeyError,
  type Store,
} from '@oncekey/core'
import { evictionGuard } from '../client/eviction.ts'
import { lostConnections } from '../client/lost-connections.ts'
import { tooFew } from '../client/replicas.ts'
import { type Sent, scriptRunner } from '../client/run-script.ts'
import type { Script } from '../client/script.ts'
import type { Replicated } from '../client/send-script.ts'
import { isRefusal, storeError } from '../client/store-error.ts'
import { appendEventsScript } from '../stream/append-events.ts'
import { givingBack } from './give-back.ts'
import { lateEnds } from './late-ends.ts'
import { noTransaction } from './no-transaction.ts'
import { redisKeys } from './operator/keys.ts'
import { redisOperations } from './operator/operations.ts'
import { type RedisStoreOptions, resolveOptions } from './options.ts'
import { endings } from './record/endings.ts'
import { openAttemptKeys, type RecordKeys, recordKeys } from './record/record-keys.ts'
import { responseIn } from './record/result-bytes.ts'
import { abandonScript } from './scripts/abandon.ts'
import { type ClaimReply, claimScript } from './scripts/claim.ts'
import { completeScript } from './scripts/complete.ts'
import { releaseScript } from './scripts/release.ts'
import { renewScript } from './scripts/renew.ts'

/**
 * A {@link Store} in Redis: a single server, Sentinel or Cluster, through ioredis or node-redis.
 * Each operation is one script: a fresh request takes two round trips, a replay one. It works in
 * lease mode, and leases are measured by the server's clock.
 *
 * It has no `transaction()`. Responses are as durable as the server makes them (`appendonly`), and
 * the server must never evict keys. Throws {@link OptionsError}.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis'
 *
 * const client = new Redis(process.env.REDIS_URL)
 * const store = redisStore({ client, subscriber: client.duplicate() })
 * const once = idempotency({ store, scope: (req) => req.user.id })
 * ```
 */
export function redisStore(options: RedisStoreOptions): Store<never> {
  const resolved = resolveOptions(options)
  const { commandTimeoutMs, keyRetentionMs, resultRetentionMs, replicas } = resolved
  const scripts = scriptRunner(resolved)
  const refuseEviction = evictionGuard(resolved)
  const ends = endings(resolved.subscriber)
  const giveBack = givingBack(scripts, resolved)
  const late = lateEnds(commandTimeoutMs)
  const lost = lostConnections(resolved.client)
  const resendsUnseen = resolved.client.resendsUnseen === true

  async function begin(claim: Claim): Promise<Decision<never>> {
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
        return { kind: 'run', attempt: attemptOn(claim.token, keys, { ...reply, askedAt }) }
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

  function attemptOn(
    token: string,
    keys: RecordKeys,
    won: {
      readonly number: number
      readonly fingerprint: Fingerprint
      readonly askedAt: number
    },
  ): Attempt<never> {
    const { number, fingerprint, askedAt } = won
    return {
      number,
      askedAt,
      transaction: noTransaction,

      async complete(completion) {
        const question = { keys, token, fingerprint, completion, keyRetentionMs, resultRetentionMs }
        const sent = write(completeScript, question)
        try {
          return await sent.inTime
        } catch (error) {
          const again = { ...question, completion: completionForLater(completion) }
          late.insist(keys.id, sent, () => scripts.send(completeScript, again))
          throw error
        } finally {
          ends.ended(keys.id)
        }
      },

      release: () => end(releaseScript, { keys, token }),

      abandon: () => end(abandonScript, { keys, token, number, fingerprint, keyRetentionMs }),

      async renew(leaseMs) {
        const question = { keys, token, number, fingerprint, leaseMs, keyRetentionMs }
        return await scripts.run(renewScript, question).catch((error) => {
          throw storeError('store-unavailable', error)
        })
      },
    }
  }

  async function end<Question extends { readonly keys: RecordKeys; readonly token: string }>(
    script: Script<Question, unknown>,
    question: Question,
  ): Promise<void> {
    const sent = scripts.send(script, question)
    try {
      await sent.inTime
    } catch (error) {
      late.insist(question.keys.id, sent, () => scripts.send(script, question))
      throw storeError('store-unavailable', error)
    }
    ends.ended(question.keys.id)
  }

  /**
   * Runs a script whose success the client will be told, so that as many servers as configured must
   * have what it wrote.
   */
  function write<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Pick<Sent<Reply>, 'inTime'> & Sent<unknown> {
    const failed = (error: unknown): never => {
      throw storeError('commit-failed', error)
    }
    if (replicas === undefined) {
      const sent = scripts.send(script, question, INSIST_MS)
      return { ...sent, inTime: sent.inTime.catch(failed) }
    }
    const sent = scripts.sendReplicated(script, question, replicas, INSIST_MS)
    const written = sent.inTime.then(({ reply, acknowledged }) => {
      if (reply === 'superseded' || acknowledged >= replicas.count) return reply
      throw tooFew(acknowledged, replicas)
    })
    return { ...sent, inTime: written.catch(failed) }
  }

  /** An attempt without a record sends nothing to Redis, except its events if it has any. */
  function openAttempt(): Attempt<never> {
    const token = randomUUID()
    let ended: 'stored' | 'undone' | undefined

    async function complete({ events, writes }: Completion): Promise<'stored' | 'superseded'> {
      if (ended !== undefined) return ended === 'stored' ? 'stored' : 'superseded'
      const [first] = events
      if (first !== undefined && writes === 'keep') {
        const keys = openAttemptKeys(first.orderingKey, token)
        await write(appendEventsScript, { ...keys, events }).inTime
      }
      ended = 'stored'
      return 'stored'
    }

    const undo = async (): Promise<void> => {
      ended ??= 'undone'
    }

    return {
      number: 1,
      transaction: noTransaction,
      complete,
      release: undo,
      abandon: undo,
      renew: async () => (ended === undefined ? 'held' : 'stale'),
    }
  }

  return {
    capabilities: { name: 'redis', mode: 'lease', transactions: false, concurrency: 'many' },
    begin,
    open: async () => openAttempt(),
    async settle({ withinMs }) {
      const open = [late.settled(withinMs), giveBack.settled(withinMs)]
      return (await Promise.all(open)).reduce((sum, each) => sum + each)
    },
    keys: redisKeys({ scripts, replicas, keyRetentionMs, resultRetentionMs }),
    operations: redisOperations(scripts),
  }
}

/**
 * How long a completion is sent again while its slot is being moved, so that a client that retries
 * after `commit-failed` finds it. Few completions wait like that, because no attempt can begin in
 * such a slot. Milliseconds.
 */
const INSIST_MS = 60_000

const IN_PROGRESS = { kind: 'in-progress', retryAfterMs: 1_000 } as const

function isOver({ kind }: ClaimReply | Decision<never>): boolean {
  return kind === 'replay' || kind === 'result-gone'
}

function hanging(): Error {
  return new Error('it has not answered hundreds of commands, and is asked only now and then')
}

function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw storeError('store-unavailable', error)
  }
}

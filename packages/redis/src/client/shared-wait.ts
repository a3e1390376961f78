import { endsWithin, sleep } from '@oncekey/core'
import { hashSlot } from './hash-slot.ts'
import { lostConnections } from './lost-connections.ts'
import type { RedisClient } from './redis-client.ts'
import type { Replicas } from './replicas.ts'
import { type ScriptArgument, unreadable } from './script.ts'
import { isAnswer } from './store-error.ts'

/** A call of a script, with the first of its keys. */
export interface WaitingCall {
  readonly method: 'evalshaBuffer' | 'evalBuffer'
  readonly script: string
  readonly args: readonly ScriptArgument[]
  readonly key: string
  readonly replicas: Replicas
}

/** What the script replied, and what the `WAIT` behind it did. */
export interface Waited {
  readonly reply: unknown
  readonly acknowledged: unknown
}

/**
 * Sends scripts with `WAIT` behind them, so that one `WAIT` at a time is under way on a connection.
 *
 * Redis carries out nothing more for a client whose `WAIT` has not ended. If each script had one of
 * its own and a replica were missing, the last of forty scripts would run after thirty-nine times
 * `timeoutMs`; and renewals, claims and the log's commands behind it as late, after their leases.
 * So what comes while one `WAIT` is under way is sent when that is over, all of it with one `WAIT`,
 * which counts the replicas that have what any of these scripts wrote. Nothing on the connection is
 * then held up for longer than `timeoutMs`, and no script is sent later than that.
 */
export type SharedWait = (call: WaitingCall) => Promise<Waited>

/** The one of this client, which all stores on it use. */
export function sharedWait(client: RedisClient): SharedWait {
  const known = shared.get(client)
  if (known !== undefined) return known
  const made = sharing(client)
  shared.set(client, made)
  return made
}

const shared = new WeakMap<RedisClient, SharedWait>()

function sharing(client: RedisClient): SharedWait {
  const lost = lostConnections(client)
  let waiting: Waiting[] = []
  /** The nodes on whose connection a `WAIT` is under way. */
  const busy = new Set<string>()
  let isScheduled = false

  function share(call: WaitingCall): Promise<Waited> {
    return new Promise((resolve, reject) => {
      waiting.push({ call, resolve, reject })
      if (isScheduled) return
      isScheduled = true
      // Together with the other calls of this turn of the event loop.
      process.nextTick(() => {
        isScheduled = false
        sendRounds()
      })
    })
  }

  function sendRounds(): void {
    const rounds = new Map<string, { readonly like: string; readonly calls: Waiting[] }>()
    const left: Waiting[] = []
    for (const each of waiting) {
      const { node, group } = placeOf(client, each.call.key)
      const { count, timeoutMs } = each.call.replicas
      const like = `${group} ${count} ${timeoutMs}`
      const round = rounds.get(node)
      if (busy.has(node) || (round !== undefined && round.like !== like)) left.push(each)
      else if (round === undefined) rounds.set(node, { like, calls: [each] })
      else round.calls.push(each)
    }
    waiting = left
    for (const [node, { calls }] of rounds) void sendRound(node, calls)
  }

  async function sendRound(node: string, round: readonly Waiting[]): Promise<void> {
    const { timeoutMs } = (round[0] as Waiting).call.replicas
    const sentAt = performance.now()
    const lostBefore = lost.count
    busy.add(node)
    const answered = sendNow(round)
    while (!(await endsWithin(answered, Math.max(timeoutMs, LOOK_EVERY_MS), { unref: true }))) {
      // ioredis may have dropped all of it without a word.
      if (lost.count !== lostBefore) break
    }
    const isAnswered = lost.count !== lostBefore || (await answered)
    // The client has given the round up, and Redis may come to its `WAIT` all the same.
    if (!isAnswered) await sleep(sentAt + timeoutMs - performance.now())
    busy.delete(node)
    if (waiting.length > 0) sendRounds()
  }

  /** Returns whether the server has replied to `WAIT`. */
  async function sendNow(round: readonly Waiting[]): Promise<boolean> {
    const { count, timeoutMs } = (round[0] as Waiting).call.replicas
    const commands: unknown[][] = round.map(({ call }) => [call.method, call.script, call.args])
    // WAIT goes on the same connection, because it counts replicas of what was written on its own
    // connection. On a new connection it would count every replica at once.
    commands.push(['wait', count, timeoutMs])
    try {
      const results = (await client.pipeline(commands).exec()) ?? []
      if (results.length < commands.length) throw lostRefusal()
      const [failure, acknowledged] = results[round.length] as (typeof results)[number]
      for (const [at, { resolve, reject }] of round.entries()) {
        const [error, reply] = results[at] ?? [unreadable(undefined), undefined]
        if (error ?? failure) reject(error ?? failure)
        else resolve({ reply, acknowledged })
      }
      return failure === null || isAnswer(failure)
    } catch (error) {
      for (const { reject } of round) reject(error)
      return isAnswer(error)
    }
  }

  return share
}

interface Waiting {
  readonly call: WaitingCall
  readonly resolve: (waited: Waited) => void
  readonly reject: (error: unknown) => void
}

/**
 * The node whose connection a key's commands use, and the nodes that ioredis must find to be the
 * same for all keys of a pipeline. If the client does not tell its map of slots, each hash slot
 * counts as a node.
 */
function placeOf(client: RedisClient, key: string): { node: string; group: string } {
  if (client.isCluster !== true) return { node: '', group: '' }
  const { slots, options } = client as {
    readonly slots?: readonly (readonly string[] | undefined)[]
    readonly options?: { readonly keyPrefix?: unknown }
  }
  const slot = hashSlot(`${options?.keyPrefix ?? ''}${key}`)
  const nodes = slots?.[slot]
  return { node: nodes?.[0] ?? `slot ${slot}`, group: nodes?.join(';') ?? `slot ${slot}` }
}

/**
 * If a Cluster's last answer is ASK when ioredis has followed as many redirections as it may, it
 * loses that answer, and there are fewer results than commands: the command was refused. The words
 * are those of ioredis for a command that is in no pipeline, so that `isMoving` knows it.
 */
export function lostRefusal(): Error {
  return new Error('Too many Cluster redirections. Last error: ReplyError: ASK (its text is lost)')
}

/** How often to look whether the connection was lost, at most. Milliseconds. */
const LOOK_EVERY_MS = 1_000

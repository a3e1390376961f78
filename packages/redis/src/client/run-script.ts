import { deadlines, within } from '@oncekey/core'
import { backlog } from './backlog.ts'
import type { Connection } from './connection.ts'
import { lostConnections } from './lost-connections.ts'
import { isMoving, type Patience, slotMoves, whileMoving } from './moving-slot.ts'
import type { RedisClient } from './redis-client.ts'
import type { Replicas } from './replicas.ts'
import { integerIn, type Script, type ScriptArgument } from './script.ts'
import { storeTimeout } from './store-timeout.ts'

/** Runs scripts by their digest, and sends the text if the server does not know the digest. */
export interface ScriptRunner {
  /**
   * Runs a script in one round trip. Rejects with the client's error, or if no reply came in time;
   * Redis may carry the command out all the same. While a cluster moves the slot, the command is
   * sent again, until the time is over or for `insistMs` if that is longer.
   */
  run<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    insistMs?: number,
  ): Promise<Reply>

  /** As `run`, for who has to know what becomes of the command when its time is over. */
  send<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    insistMs?: number,
  ): Sent<Reply>

  /**
   * Whether so many commands about these keys have had no answer that nothing more should be sent
   * now: see `backlog.ts`.
   */
  hangs<Question>(script: Script<Question, unknown>, question: Question): boolean

  /**
   * Sends the script's whole text at once, so that it runs after everything that was sent before
   * it. If it were sent by its digest and the server did not know the digest, it would be sent a
   * second time, behind later commands. Rejects only with the client's error: if no reply comes,
   * the promise stays pending for as long as the client waits.
   */
  runInOrder<Question, Reply>(script: Script<Question, Reply>, question: Question): Promise<Reply>

  /**
   * As `run`, and also returns, from the same round trip, how many replicas have what the script
   * wrote (`WAIT`). The number is for all writes so far, those of other clients included, because
   * Redis counts up to the end of its log at that moment.
   */
  runReplicated<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    insistMs?: number,
  ): Promise<Replicated<Reply>>

  /** As `runReplicated`, for who has to know what becomes of the command. */
  sendReplicated<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    insistMs?: number,
  ): Sent<Replicated<Reply>>
}

/** A command that was sent. */
export interface Sent<Reply> {
  /** Rejects with the client's error, or if no reply came in time. */
  readonly inTime: Promise<Reply>
  /** Rejects with the client's error only. Pending for as long as the client has the command. */
  readonly atLast: Promise<Reply>
  /**
   * Whether no connection was lost since. Otherwise the client may have dropped the command without
   * a word, as ioredis does without `autoResendUnfulfilledCommands`.
   */
  isKept(): boolean
}

export interface Replicated<Reply> {
  readonly reply: Reply
  readonly acknowledged: number
}

/**
 * Gives every call a deadline. A client's own deadlines are set by the user, and ioredis has none
 * by default: a call would wait for ever while Redis is down.
 */
export function scriptRunner({ client, commandTimeoutMs }: Connection): ScriptRunner {
  const call = caller(client)
  const unanswered = backlog()
  const lost = lostConnections(client)
  const clock = deadlines<Waiting>(commandTimeoutMs, (waiting) => {
    waiting.settled = unanswered.late(waiting.partition())
    waiting.reject(late(commandTimeoutMs, waiting.patience))
  })

  /** As `within`, but all calls share one timer, because every request makes such calls. */
  function inTime<Reply>(
    sent: Promise<Reply>,
    patience: Patience,
    partition: () => string,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { reject, patience, partition, settled: undefined }
      const deadline = clock.start(waiting)
      const settled = (): void => {
        clock.stop(deadline)
        if (waiting.settled !== undefined) waiting.settled()
        else if (!unanswered.isEmpty()) unanswered.answered(partition())
      }
      sent.then(
        (reply) => {
          settled()
          resolve(reply)
        },
        (error) => {
          settled()
          reject(error)
        },
      )
    })
  }

  function keeping(): () => boolean {
    const before = lost.count
    return () => lost.count === before
  }

  /** The hash tag that all keys of a script share. */
  function partitionOf<Question>(script: Script<Question, unknown>, question: Question): string {
    if (client.isCluster !== true) return ''
    return script.keys(question)[0]?.match(/\{(.*?)\}/)?.[1] ?? ''
  }

  async function sendScript<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    patience: Patience,
  ): Promise<Reply> {
    const args = argumentsOf(script, question)
    try {
      return script.reply(await call('evalshaBuffer', script.sha, args), question)
    } catch (error) {
      const inFull = () => call('evalBuffer', script.text, args)
      if (isUnseen(error)) return script.reply(await inFull(), question)
      if (client.isCluster !== true || !isMoving(error)) throw error
      // Sent as text, because the node to which the slot moves may not know the script.
      return script.reply(await whileMoving(patience, error, inFull), question)
    }
  }

  async function sendWithWait<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    patience: Patience,
  ): Promise<Replicated<Reply>> {
    const args = argumentsOf(script, question)
    const callAndWait = async (...command: [method: string, script: string]): Promise<unknown[]> =>
      inOnePipeline(client, [
        [...command, args],
        // WAIT goes on the same connection, because it counts replicas of what was written on its
        // own connection. On a new connection it would count every replica at once.
        ['wait', replicas.count, replicas.timeoutMs],
      ])
    // A Cluster follows a redirection only for a single command. Sending the script alone also
    // corrects the client's map of slots. The script, sent again together with WAIT, then finds its
    // work done.
    const aloneFirst = async (): Promise<unknown[]> => {
      await sendScript(script, question, patience)
      return callAndWait('evalBuffer', script.text)
    }
    let answers: unknown[]
    try {
      answers = await callAndWait('evalshaBuffer', script.sha)
    } catch (error) {
      if (isUnseen(error)) answers = await callAndWait('evalBuffer', script.text)
      else if (client.isCluster === true && isMoving(error)) {
        answers = await whileMoving(patience, error, aloneFirst)
      } else throw error
    }
    return { reply: script.reply(answers[0], question), acknowledged: integerIn(answers[1]) }
  }

  function send<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    insistMs = commandTimeoutMs,
  ): Sent<Reply> {
    const patience = patienceOf(insistMs)
    const isKept = keeping()
    const atLast = sendScript(script, question, patience)
    const answer = inTime(atLast, patience, () => partitionOf(script, question))
    return { inTime: answer, atLast, isKept }
  }

  function sendReplicated<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    insistMs = commandTimeoutMs,
  ): Sent<Replicated<Reply>> {
    const withinMs = commandTimeoutMs + replicas.timeoutMs
    const patience = patienceOf(insistMs)
    const isKept = keeping()
    const atLast = sendWithWait(script, question, replicas, patience)
    return { inTime: within(withinMs, atLast, () => late(withinMs, patience)), atLast, isKept }
  }

  return {
    run: (script, question, insistMs) => send(script, question, insistMs).inTime,
    send,

    hangs: (script, question) =>
      !unanswered.isEmpty() && unanswered.isFull(partitionOf(script, question)),

    async runInOrder(script, question) {
      return script.reply(
        await call('evalBuffer', script.text, argumentsOf(script, question)),
        question,
      )
    },

    runReplicated: (script, question, on, insistMs) =>
      sendReplicated(script, question, on, insistMs).inTime,
    sendReplicated,
  }
}

interface Waiting {
  readonly reject: (error: Error) => void
  readonly patience: Patience
  readonly partition: () => string
  /** Set once it is late. */
  settled: (() => void) | undefined
}

function patienceOf(ms: number): Patience {
  return { until: performance.now() + ms, refusal: undefined }
}

function late(ms: number, { refusal }: Patience): Error {
  return refusal === undefined ? storeTimeout(ms) : slotMoves(refusal)
}

/**
 * Takes the arguments as one list: spread into a call, the arguments of a thousand events overflow
 * the stack.
 */
type Call = (
  method: 'evalshaBuffer' | 'evalBuffer',
  script: string,
  args: readonly ScriptArgument[],
) => Promise<unknown>

/**
 * A Cluster with automatic pipelining mistakes the digest of a script for its key, and sends the
 * command to any node; in an explicit pipeline it does not. A pipeline is a third as fast as a
 * call, so it is used for such a Cluster only.
 */
function caller(client: RedisClient): Call {
  if (client.isCluster === true && client.options?.enableAutoPipelining === true) {
    return async (...call) => (await inOnePipeline(client, [call]))[0]
  }
  const methods = client as unknown as Record<
    Parameters<Call>[0],
    (script: string, args: readonly ScriptArgument[]) => Promise<unknown>
  >
  const cork = corker(client)
  return (method, script, args) => {
    cork()
    return methods[method](script, args)
  }
}

/**
 * Sends all calls of one turn of the event loop in one write. Their replies arrive together, so the
 * next calls are made together too. With 50 requests at once, a claim and a completion cost 16
 * instead of 26 µs of processor time. A single call is not delayed.
 */
function corker(client: RedisClient): () => void {
  let isCorked = false
  return () => {
    const { stream } = client
    if (isCorked || stream === undefined) return
    isCorked = true
    stream.cork()
    process.nextTick(() => {
      isCorked = false
      stream.uncork()
    })
  }
}

/** Throws the first error among the results, because the pipeline itself never fails. */
async function inOnePipeline(client: RedisClient, commands: unknown[][]): Promise<unknown[]> {
  const results = (await client.pipeline(commands).exec()) ?? []
  return results.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

function argumentsOf<Question>(
  script: Script<Question, unknown>,
  question: Question,
): ScriptArgument[] {
  const keys = script.keys(question)
  return [keys.length, ...keys, ...script.args(question)]
}

function isUnseen(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

import { deadlines, within } from '@oncekey/core'
import type { Connection } from './connection.ts'
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
  const clock = deadlines<Waiting>(commandTimeoutMs, ({ reject, patience }) =>
    reject(late(commandTimeoutMs, patience)),
  )

  /** As `within`, but all calls share one timer, because every request makes such calls. */
  function inTime<Reply>(sent: Promise<Reply>, patience: Patience): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const deadline = clock.start({ reject, patience })
      sent.then(
        (reply) => {
          clock.stop(deadline)
          resolve(reply)
        },
        (error) => {
          clock.stop(deadline)
          reject(error)
        },
      )
    })
  }

  async function send<Question, Reply>(
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

  async function sendReplicated<Question, Reply>(
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
      await send(script, question, patience)
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

  return {
    run(script, question, insistMs = commandTimeoutMs) {
      const patience = patienceOf(insistMs)
      return inTime(send(script, question, patience), patience)
    },

    async runInOrder(script, question) {
      return script.reply(
        await call('evalBuffer', script.text, argumentsOf(script, question)),
        question,
      )
    },

    runReplicated(script, question, replicas, insistMs = commandTimeoutMs) {
      const withinMs = commandTimeoutMs + replicas.timeoutMs
      const patience = patienceOf(insistMs)
      const sent = sendReplicated(script, question, replicas, patience)
      return within(withinMs, sent, () => late(withinMs, patience))
    },
  }
}

interface Waiting {
  readonly reject: (error: Error) => void
  readonly patience: Patience
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

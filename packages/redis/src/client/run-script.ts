import { deadlines } from '@oncekey/core'
import type { Connection } from './connection.ts'
import { storeTimeout, within } from './deadline.ts'
import { isMoving, type Patience, slotMoves, whileMoving } from './moving-slot.ts'
import type { RedisClient } from './redis-client.ts'
import type { Replicas } from './replicas.ts'
import { integerIn, type Script, type ScriptArgument } from './script.ts'

/** Runs scripts: by their digest, and in full where the server has not seen them. */
export interface ScriptRunner {
  /**
   * One round trip. Rejects with the client's error, or when there was no answer in time; `sent` is
   * what becomes of the command after all. While a cluster moves the slot it is sent again until the
   * time is up, or for `insistMs`, of which nobody waits for the rest.
   */
  run<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    insistMs?: number,
  ): Sent<Reply>

  /**
   * The whole text at once, and no waiting: so it follows what was sent before it, while a digest that
   * the server does not know would have the text come behind what is sent meanwhile.
   */
  runInOrder<Question, Reply>(script: Script<Question, Reply>, question: Question): void

  /**
   * The same as `run`, and how many replicas have what was written (`WAIT`), in the same round trip:
   * by this script, or by anybody before it, for Redis goes by the end of its log when a command was done.
   */
  runReplicated<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    insistMs?: number,
  ): Sent<Replicated<Reply>>
}

export interface Sent<Reply> {
  readonly reply: Promise<Reply>
  readonly sent: Promise<Reply>
}

export interface Replicated<Reply> {
  readonly reply: Reply
  readonly acknowledged: number
}

/**
 * The client's own deadlines are the user's to set, and ioredis' default is none: a call waits for
 * ever while Redis is down. So every call has one here.
 */
export function scriptRunner({ client, commandTimeoutMs }: Connection): ScriptRunner {
  const call = caller(client)
  const clock = deadlines<Waiting>(commandTimeoutMs, ({ reject, patience }) =>
    reject(late(commandTimeoutMs, patience)),
  )

  /** As `within` does it, for what every request asks. */
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
      // In full: the node that it moves to may not have seen it.
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
        // On the same connection: it speaks of what was written there, and on a new one it would
        // at once count every replica there is.
        ['wait', replicas.count, replicas.timeoutMs],
      ])
    // A Cluster follows the redirection of a single command only. That also puts its map right, and
    // the script, sent again, finds its own work done.
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
      const sent = send(script, question, patience)
      return { sent, reply: inTime(sent, patience) }
    },

    runInOrder(script, question) {
      call('evalBuffer', script.text, argumentsOf(script, question)).catch(() => {})
    },

    runReplicated(script, question, replicas, insistMs = commandTimeoutMs) {
      const withinMs = commandTimeoutMs + replicas.timeoutMs
      const patience = patienceOf(insistMs)
      const sent = sendReplicated(script, question, replicas, patience)
      return { sent, reply: within(withinMs, sent, () => late(withinMs, patience)) }
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

/** The arguments as one list: as arguments of a call, those of a thousand events overflow the stack. */
type Call = (
  method: 'evalshaBuffer' | 'evalBuffer',
  script: string,
  args: readonly ScriptArgument[],
) => Promise<unknown>

/**
 * A Cluster that pipelines by itself takes the digest of a script for its key, and sends it to any
 * node; what comes in a pipeline it leaves alone. That is a third as fast as a call, hence not the
 * way for every client.
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
 * Lets what is called in one turn of the event loop leave in one write. Answers come together, so
 * that is where the next calls are made together: with 50 requests at once, 16 instead of 26 µs of
 * the processor's time for a claim and a completion. A call that is alone is not held up.
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

/** Throws the first error there is: a pipeline itself never fails. */
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

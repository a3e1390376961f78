import { isMoving, type Patience, whileMoving } from './moving-slot.ts'
import type { RedisClient } from './redis-client.ts'
import type { Replicas } from './replicas.ts'
import { integerIn, type Script, type ScriptArgument } from './script.ts'
import { lostRefusal, sharedWait, type Waited, type WaitingCall } from './shared-wait.ts'

/**
 * Sends scripts by their digest, and their text if the server does not know the digest. Each
 * promise stays pending for as long as the client waits for a reply, and rejects only with the
 * client's error.
 */
export interface ScriptSender {
  /** While a cluster moves the slot, the script is sent again for as long as `patience` lasts. */
  send<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    patience: Patience,
  ): Promise<Reply>
  /** With a `WAIT` behind it that it may share with others: see `shared-wait.ts`. */
  sendAndWait<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    patience: Patience,
  ): Promise<Replicated<Reply>>
  /** The whole text at once, so that nothing that is sent later runs before it. */
  sendText<Question, Reply>(script: Script<Question, Reply>, question: Question): Promise<Reply>
}

export interface Replicated<Reply> {
  readonly reply: Reply
  readonly acknowledged: number
}

export function scriptSender(client: RedisClient): ScriptSender {
  const call = caller(client)
  const share = sharedWait(client)
  return { send, sendAndWait, sendText }

  async function send<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    patience: Patience,
  ): Promise<Reply> {
    const args = argumentsOf(script, question)
    try {
      return script.reply(await call('evalshaBuffer', script.sha, args), question)
    } catch (error) {
      // Sent as text, because the node to which a slot moves may not know the script.
      const inFull = (): Promise<unknown> => call('evalBuffer', script.text, args)
      return script.reply(await afterRefusal(error, patience, inFull), question)
    }
  }

  /** Sends what a node refused in full, and again for as long as the slot moves. */
  async function afterRefusal<Answer>(
    error: unknown,
    patience: Patience,
    inFull: () => Promise<Answer>,
    whenMoving = inFull,
  ): Promise<Answer> {
    let refusal = error
    if (isUnseen(error)) {
      try {
        return await inFull()
      } catch (next) {
        refusal = next
      }
    }
    if (client.isCluster !== true || !isMoving(refusal)) throw refusal
    return whileMoving(patience, refusal, whenMoving)
  }

  async function sendAndWait<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    patience: Patience,
  ): Promise<Replicated<Reply>> {
    const args = argumentsOf(script, question)
    const [key = ''] = script.keys(question)
    const callAndWait = (method: WaitingCall['method'], what: string): Promise<Waited> =>
      share({ method, script: what, args, key, replicas })
    const inFull = (): Promise<Waited> => callAndWait('evalBuffer', script.text)
    // A Cluster follows a redirection only for a single command. Sending the script alone also
    // corrects the client's map of slots. The script, sent again together with WAIT, then finds its
    // work done.
    const aloneFirst = async (): Promise<Waited> => {
      await send(script, question, patience)
      return inFull()
    }
    const { reply, acknowledged } = await callAndWait('evalshaBuffer', script.sha).catch((error) =>
      afterRefusal(error, patience, inFull, aloneFirst),
    )
    return { reply: script.reply(reply, question), acknowledged: integerIn(acknowledged) }
  }

  async function sendText<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
  ): Promise<Reply> {
    const reply = await call('evalBuffer', script.text, argumentsOf(script, question))
    return script.reply(reply, question)
  }
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

/**
 * Throws the first error among the results, because the pipeline itself never fails, or what it has
 * lost: see `lostRefusal`.
 */
async function inOnePipeline(client: RedisClient, commands: unknown[][]): Promise<unknown[]> {
  const results = (await client.pipeline(commands).exec()) ?? []
  if (results.length < commands.length) throw lostRefusal()
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

/** Whether the node did not know the digest. */
function isUnseen(error: unknown): boolean {
  return error instanceof Error && UNSEEN.test(error.message)
}

/** After its last redirection, ioredis puts its own words before the server's message. */
const UNSEEN = /^(Too many Cluster redirections\. Last error: \w+: )?NOSCRIPT /

import { deadlines, within } from '@oncekey/core'
import { backlog } from './backlog.ts'
import type { Connection } from './connection.ts'
import { lostConnections } from './lost-connections.ts'
import { type Patience, slotMoves } from './moving-slot.ts'
import { probes } from './probes.ts'
import type { Replicas } from './replicas.ts'
import { type Script, script as scriptOf } from './script.ts'
import { type Replicated, scriptSender } from './send-script.ts'
import { isAnswer } from './store-error.ts'
import { storeTimeout } from './store-timeout.ts'

export type { Replicated } from './send-script.ts'

/** Runs scripts, and says when one has had no answer for too long. */
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
   * As `send`, but sends the script's whole text at once, so that it runs after everything that was
   * sent before it. If it were sent by its digest and the server did not know the digest, it would
   * be sent a second time, behind later commands. So it is not sent again while a cluster moves the
   * slot, either.
   */
  sendInOrder<Question, Reply>(script: Script<Question, Reply>, question: Question): Sent<Reply>

  /**
   * As `run`, and also returns how many replicas have what the script wrote (`WAIT`): from the same
   * round trip, or from the next one if another `WAIT` is under way (`shared-wait.ts`). The number
   * is for all writes so far, those of other clients included, because Redis counts up to the end
   * of its log at that moment.
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
  /**
   * Whether the client does not have the command any more. That is so after a reply, and once a
   * connection was lost. After the client's own rejection, such as that of ioredis with
   * `commandTimeout`, it is so once something that was sent later is answered, for which this asks.
   */
  isGone(): Promise<boolean>
}

/**
 * Gives every call a deadline. A client's own deadlines are set by the user, and ioredis has none
 * by default: a call would wait for ever while Redis is down.
 */
export function scriptRunner({ client, commandTimeoutMs }: Connection): ScriptRunner {
  const sender = scriptSender(client)
  const unanswered = backlog()
  const lost = lostConnections(client)
  let sentSoFar = 0
  const nextNumber = (): number => {
    sentSoFar += 1
    return sentSoFar
  }
  const asked = probes(probe, { nextNumber, timeoutMs: commandTimeoutMs })
  const clock = deadlines<Waiting>(commandTimeoutMs, (waiting) => {
    waiting.settled = unanswered.late(waiting.command.partition())
    waiting.reject(late(commandTimeoutMs, waiting.patience))
  })

  /** As `within`, but all calls share one timer, because every request makes such calls. */
  function inTime<Reply>(
    sent: Promise<Reply>,
    patience: Patience,
    command: Command,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { reject, patience, command, settled: undefined }
      const deadline = clock.start(waiting)
      const settled = (): void => {
        clock.stop(deadline)
        if (waiting.settled !== undefined) waiting.settled()
        else if (!unanswered.isEmpty()) unanswered.answered(command.partition())
      }
      sent.then(
        (reply) => {
          settled()
          resolve(reply)
        },
        (error) => {
          clock.stop(deadline)
          if (isAnswer(error)) settled()
          else if (!command.isKept()) waiting.settled?.()
          // What the client has rejected by itself it may keep, so that stays unanswered.
          else waiting.settled ??= unanswered.late(command.partition())
          reject(error)
        },
      )
    })
  }

  /** The hash tag that all keys of a script share. */
  function partitionOf<Question>(script: Script<Question, unknown>, question: Question): string {
    if (client.isCluster !== true) return ''
    return script.keys(question)[0]?.match(/\{(.*?)\}/)?.[1] ?? ''
  }

  function begun<Question>(script: Script<Question, unknown>, question: Question): Command {
    const before = lost.count
    return {
      number: nextNumber(),
      isKept: () => lost.count === before,
      partition: () => partitionOf(script, question),
    }
  }

  function sentOf<Question, Reply>(
    script: Script<Question, unknown>,
    question: Question,
    { number, isKept, partition }: Command,
    { inTime, atLast }: Pick<Sent<Reply>, 'inTime' | 'atLast'>,
  ): Sent<Reply> {
    return {
      inTime,
      atLast,
      isKept,
      async isGone() {
        if (!isKept()) return true
        const end = await endOf(atLast)
        if (end !== 'rejected') return end === 'answered'
        return asked.passed(partition(), script.keys(question)[0] ?? '', number)
      },
    }
  }

  function probe(key: string) {
    const { isKept } = begun(probeScript, key)
    const isAnswered = sender.sendText(probeScript, key).then(() => true, isAnswer)
    return { isAnswered, isKept }
  }

  function send<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    insistMs = commandTimeoutMs,
  ): Sent<Reply> {
    const patience = patienceOf(insistMs)
    const command = begun(script, question)
    const atLast = sender.send(script, question, patience)
    const answer = inTime(atLast, patience, command)
    return sentOf(script, question, command, { inTime: answer, atLast })
  }

  function sendReplicated<Question, Reply>(
    script: Script<Question, Reply>,
    question: Question,
    replicas: Replicas,
    insistMs = commandTimeoutMs,
  ): Sent<Replicated<Reply>> {
    // It may first wait for the end of a `WAIT` that is under way, and then for its own.
    const withinMs = commandTimeoutMs + 2 * replicas.timeoutMs
    const patience = patienceOf(insistMs)
    const command = begun(script, question)
    const atLast = sender.sendAndWait(script, question, replicas, patience)
    const answer = within(withinMs, atLast, () => late(withinMs, patience))
    return sentOf(script, question, command, { inTime: answer, atLast })
  }

  return {
    run: (script, question, insistMs) => send(script, question, insistMs).inTime,
    send,

    hangs: (script, question) =>
      !unanswered.isEmpty() && unanswered.isFull(partitionOf(script, question)),

    sendInOrder(script, question) {
      const command = begun(script, question)
      const atLast = sender.sendText(script, question)
      const answer = within(commandTimeoutMs, atLast, () => storeTimeout(commandTimeoutMs))
      return sentOf(script, question, command, { inTime: answer, atLast })
    },

    runReplicated: (script, question, on, insistMs) =>
      sendReplicated(script, question, on, insistMs).inTime,
    sendReplicated,
  }
}

/** A command that was begun, by its number among all of this runner. */
interface Command {
  readonly number: number
  isKept(): boolean
  partition(): string
}

/** How a command has ended so far. */
function endOf(atLast: Promise<unknown>): Promise<'pending' | 'answered' | 'rejected'> {
  return new Promise((resolve) => {
    setImmediate(() => resolve('pending'))
    atLast.then(
      () => resolve('answered'),
      (error) => resolve(isAnswer(error) ? 'answered' : 'rejected'),
    )
  })
}

/** Changes and reads nothing. */
const probeScript: Script<string, unknown> = scriptOf({
  name: 'probe',
  text: 'return 1',
  keys: (key) => [key],
  args: () => [],
  reply: (raw) => raw,
})

interface Waiting {
  readonly reject: (error: Error) => void
  readonly patience: Patience
  readonly command: Command
  /** Set once it is late. */
  settled: (() => void) | undefined
}

function patienceOf(ms: number): Patience {
  return { until: performance.now() + ms, refusal: undefined }
}

function late(ms: number, { refusal }: Patience): Error {
  return refusal === undefined ? storeTimeout(ms) : slotMoves(refusal)
}

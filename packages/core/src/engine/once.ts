import type { PlainResponse } from '../contracts/stored-response.ts'
import { OncekeyError, OptionsError } from '../errors/errors.ts'
import { heard, isPromise, MOST_RESPONSE_BYTES, positive } from '../options/check-option.ts'
import { acceptedFingerprints } from '../request/fingerprint.ts'
import { checkedKey } from '../request/key.ts'
import { checkScope } from '../request/scope.ts'
import { lostInJson } from '../response/lost-in-json.ts'
import { createEngine, type Engine } from './engine.ts'
import type { HandlerContext } from './handler-context.ts'
import type { HandlerRun } from './handler-run.ts'
import type { EngineOptions, ResolvedOptions } from './options.ts'
import type { Answer, RunOutcome } from './outcome.ts'
import { sealOf } from './request-options.ts'

/** The engine's options that apply outside HTTP. */
export interface OnceOptions<Tx>
  extends Pick<
    EngineOptions<Tx>,
    'store' | 'whenUnknown' | 'waitMs' | 'handlerTimeoutMs' | 'leaseMs' | 'seal' | 'eventSource'
  > {
  /** A constant for each use, so that the keys of different kinds of jobs do not collide. */
  readonly namespace: string
  /** The largest result that is kept, as JSON. Bytes. @default 1_048_576 */
  readonly maxResultBytes?: number
}

/** One call: who it belongs to, its key, and its input. */
export interface Call {
  /** Who the key belongs to. */
  readonly scope: string
  /**
   * The key of the call, the same for every retry: a job's id, a message's id. At most 255
   * printable ASCII characters.
   */
  readonly key: string
  /** JSON that a retry must repeat; another input under the same key throws `key-reused`. */
  readonly input?: unknown
}

/** A function's result, and whether it is an earlier call's. */
export interface Outcome<Result> {
  readonly value: Result
  readonly replayed: boolean
}

/**
 * Gives a function outside HTTP, such as a job, a queue consumer or a script, the guarantee of an
 * HTTP route. Its result (plain JSON: a `Date` would come back as a string), its writes and its
 * events are kept together, and a repeated call gets the result without running.
 *
 * The function's own error undoes everything, is rethrown, and leaves the key in the state that a
 * 5xx would. Throws {@link OncekeyError}: `key-invalid`, `scope-invalid`, `fingerprint-required`
 * and `result-invalid` are misuse; `no-result` is an operator's or `whenUnknown`'s answer that is
 * no success; the others are those that a client of an HTTP route gets, such as `in-progress`,
 * `key-reused`, `handler-timeout`, `commit-failed`, `response-too-large`.
 *
 * @example
 * ```ts
 * const invoiceOnce = once({ store, namespace: 'invoices' })
 *
 * await invoiceOnce.run({ scope: tenant, key: job.id, input: job.data }, async ({ transaction, emit }) => {
 *   const tx = await transaction()
 *   await tx.query('insert into invoices (id) values ($1)', [job.id])
 *   emit({ type: 'invoice.created', subject: job.id })
 *   return { id: job.id }
 * })
 * ```
 */
export function once<Tx>(options: OnceOptions<Tx>): {
  run<Result>(
    call: Call,
    work: (context: HandlerContext<Tx>) => Result | Promise<Result>,
  ): Promise<Outcome<Result>>
  drain: Engine<Tx>['drain']
} {
  if (options?.namespace === undefined) {
    throw new OptionsError(
      "namespace is missing: write `namespace: 'invoices'`, a constant of this use of once().",
    )
  }
  const { maxResultBytes = 1024 * 1024, ...rest } = options
  const engine = createEngine<Tx>({
    ...rest,
    maxResponseBytes: positive('maxResultBytes', maxResultBytes, MOST_RESPONSE_BYTES),
  })

  async function run<Result>(
    call: Call,
    work: (context: HandlerContext<Tx>) => Result | Promise<Result>,
  ): Promise<Outcome<Result>> {
    const facts = {
      namespace: options.namespace,
      scope: checkScope(call.scope),
      key: checkKey(call.key),
      route: options.namespace,
    }
    const sealing = sealOf(engine.options as ResolvedOptions<unknown>)
    const seal = isPromise(sealing) ? await sealing : sealing
    const { accepted: fingerprints, older } = acceptedFingerprints(
      {
        method: 'CALL',
        target: options.namespace,
        contentType: undefined,
        body: call.input === undefined ? { kind: 'none' } : { kind: 'parsed', value: call.input },
      },
      seal,
    )
    const begun = await engine.ask({
      facts,
      fingerprints,
      olderFingerprints: older,
      seal,
      traceparent: undefined,
      signal: undefined,
      request: undefined,
    })
    return begun.kind === 'run' ? finish(begun.run, work) : answered(begun)
  }

  return { run, drain: engine.drain }
}

async function finish<Tx, Result>(
  run: HandlerRun<Tx>,
  work: (context: HandlerContext<Tx>) => Result | Promise<Result>,
): Promise<Outcome<Result>> {
  const working = (async () => work(run.context))()
  let first: { readonly value: Result } | Answer
  try {
    first = await Promise.race([working.then((value) => ({ value })), run.interrupted])
  } catch (error) {
    const outcome = await run.abandon()
    // The work ended because the timeout aborted its signal, so the caller is told about the
    // timeout.
    if (outcome.kind === 'problem') return answered({ cause: error, ...outcome })
    throw error
  }
  if ('kind' in first) {
    // Nobody waits for work that timed out.
    heard(working)
    return answered(first)
  }
  const outcome: RunOutcome = await run.complete({
    status: 200,
    headers: [],
    body: await resultBytes(run, first.value),
  })
  if (outcome.kind === 'send') return { value: first.value, replayed: false }
  if (outcome.kind === 'failure') throw outcome.error
  return answered(outcome)
}

function answered<Result>(answer: Answer): Outcome<Result> {
  if (answer.kind === 'problem') {
    const { code, detail, cause } = answer
    throw new OncekeyError(code, detail, cause === undefined ? {} : { cause })
  }
  return { value: resultIn(answer.response) as Result, replayed: true }
}

/**
 * The result that a record has. A run writes only JSON with status 200. An operator, or a
 * `whenUnknown` function, may have answered the key with anything, such as that the work failed.
 */
function resultIn({ status, body }: PlainResponse): unknown {
  const text = new TextDecoder().decode(body)
  if (status >= 400) throw noResult(status, text)
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch (cause) {
    throw noResult(status, text, cause)
  }
}

function noResult(status: number, text: string, cause?: unknown): OncekeyError {
  const isCut = text.length > MOST_TEXT
  return new OncekeyError(
    'no-result',
    `An operator or whenUnknown has answered this key with status ${status}, ${cause === undefined ? 'which is no success' : 'and with what is no JSON'}, so the call has no result: ${text.slice(0, MOST_TEXT)}${isCut ? '…' : ''}`,
    cause === undefined ? {} : { cause },
  )
}

/** How much of such an answer is in the message of its error. Characters. */
const MOST_TEXT = 1_000

async function resultBytes<Tx>(run: HandlerRun<Tx>, value: unknown): Promise<Uint8Array> {
  let lost: string | undefined
  let cause: unknown
  try {
    lost = value === undefined ? undefined : lostInJson(value)
    if (lost === undefined) {
      return new TextEncoder().encode(value === undefined ? '' : JSON.stringify(value))
    }
  } catch (error) {
    // A getter threw, the nesting is too deep, or the text is too long.
    lost = '$ cannot be written as JSON.'
    cause = error
  }
  await run.abandon()
  throw new OncekeyError(
    'result-invalid',
    `The result of a function run once must be plain JSON, or undefined, so that a repeated call gets the same value: ${lost}`,
    cause === undefined ? {} : { cause },
  )
}

function checkKey(key: string): string {
  if (typeof key === 'string' && checkedKey(key).kind === 'key') return key
  throw new OncekeyError(
    'key-invalid',
    'key must be 1 to 255 printable ASCII characters, the same for every retry.',
  )
}

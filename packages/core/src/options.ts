import { inspect } from 'node:util'
import type { Authenticate } from './authenticate.ts'
import type { Disposition, DispositionOverrides } from './disposition.ts'
import { OptionsError } from './errors.ts'
import type { ReplayHeader } from './header-rules.ts'
import { isProblemCode, type ProblemStatuses } from './problem.ts'
import { checkSealKeys, type Seal } from './seal.ts'
import type { Store } from './store.ts'
import type { PlainResponse } from './stored-response.ts'
import type { WhenUnknown } from './when-unknown.ts'

/**
 * What every adapter takes, beside its own `scope` and `fingerprint`. `Req` is the framework's request.
 *
 * Options that are functions may be async, except `replayHeader`. What they throw goes to the
 * framework's error handler, as does `options-invalid` for what they must not return and `option-timeout`
 * past `handlerTimeoutMs`; nothing is stored then.
 */
// biome-ignore lint/suspicious/noExplicitAny: adapters say which request; options without functions fit all
export interface EngineOptions<Tx, Req = any> {
  /** Where keys and responses are kept. */
  readonly store: Store<Tx>
  /** A constant per use, so that client keys, webhook ids and jobs never meet. @default 'http' */
  readonly namespace?: string
  /** Methods that are covered; others pass untouched. @default ['POST', 'PATCH'] */
  readonly methods?: readonly string[]
  /**
   * The request header that carries the key; of several, the first that came. Two that came with
   * different keys are refused. @default 'Idempotency-Key'
   */
  readonly header?: string | readonly string[]
  /**
   * Where the key is, if not in a header: a form field, a member of a webhook's body. `undefined` where
   * there is none. `raw` brings the bytes of the body, where the adapter has them. @default the header
   */
  readonly key?: (
    request: Req,
    raw: () => Promise<Uint8Array>,
  ) => string | undefined | null | Promise<string | undefined | null>
  /** What counts of the URL, where it is signed or stamped anew on every retry. @default path and query as they came */
  readonly url?: (request: Req) => string | Promise<string>
  /**
   * What has to be the same for a key that comes again: the `request`, or nothing beside the `key`,
   * where a signature vouches for that. @default 'request'
   */
  readonly compares?: 'request' | 'key'
  /** Whether a request without a key is refused; if not, it runs with a transaction and events but no record. @default true */
  readonly required?: boolean
  /** Whether only the quoted form of draft-07 section 2.1 is accepted. @default false */
  readonly strict?: boolean
  /** Checked before anything is claimed or replayed: a webhook's signature over the bytes that came. @default none */
  readonly authenticate?: Authenticate
  /** The form keys of this API must have, such as a UUID. @default any 1 to 255 printable ASCII characters */
  readonly validateKey?: (key: string) => boolean | Promise<boolean>
  /** Response headers that mark a replay with `true`. @default 'X-Idempotency-Replayed' */
  readonly replayedHeader?: string | readonly string[]
  /** Says of a header (lower-case) whether replays carry it; `undefined` leaves it to the standard list. */
  readonly replayHeader?: ReplayHeader
  /**
   * Dispositions of single statuses; or a function of the response, for protocols that answer 200 for
   * everything. It returns `undefined` where the status decides, and gets an empty body where the
   * response streams. @default 2xx and 3xx commit, 4xx refuse, 5xx 401 407 408 421 423 425 429 retry
   */
  readonly disposition?: DispositionOverrides | DispositionOf<Req>
  /**
   * Lease mode: what to do when an attempt ended without saying how. `retake` runs the handler
   * again and is safe only with `deriveKey` at every outside call. @default 'retake'
   */
  readonly whenUnknown?: WhenUnknown
  /** How long a retry waits for a running attempt's result before 409. Milliseconds. @default 0 */
  readonly waitMs?: number
  /** How long a handler may take; then its signal aborts, its writes are undone and 503 is answered. Milliseconds. @default 30_000 */
  readonly handlerTimeoutMs?: number
  /** Lease mode: how long an attempt owns its key without renewing; it renews three times as often. Milliseconds. @default 15_000 */
  readonly leaseMs?: number
  /** The largest body that is kept, as it leaves: coded, if it is. Bytes. @default 1_048_576 */
  readonly maxResponseBytes?: number
  /** `stream`: the response is passed through as it is written and its body not kept (server-sent events). @default 'buffer' */
  readonly response?: 'buffer' | 'stream'
  /** Seals stored headers and bodies with AES-256-GCM, and makes fingerprints HMACs. A function may bring the keys. @default none */
  readonly seal?: Seal
  /**
   * Changes what is stored of a response, not what the first client gets: removes a secret that is
   * shown once. A coded body comes decoded, where that can be done, and is kept so.
   */
  readonly redact?: (response: PlainResponse) => PlainResponse | Promise<PlainResponse>
  /** CloudEvents `source` of emitted events. @default '/' + namespace */
  readonly eventSource?: string
  /**
   * Other statuses for problems, for clients that read nothing else: `{ 'in-progress': 503 }`.
   * @default those of docs/errors.md
   */
  readonly problemStatus?: ProblemStatuses
  /** A page that documents the problem codes; becomes each problem's `type` and a `describedby` link. */
  readonly docsUrl?: string
}

/** What becomes of a response, by more than its status. */
export type DispositionOf<Req> = (
  response: PlainResponse,
  request: Req,
) => Disposition | undefined | Promise<Disposition | undefined>

/** Options after construction: nothing optional is left to decide. */
export interface ResolvedOptions<Tx> {
  readonly store: Store<Tx>
  readonly namespace: string
  readonly methods: ReadonlySet<string>
  /** Lower-case, to look it up by. */
  readonly header: string
  readonly headers: readonly string[]
  /** As it was written, for messages. */
  readonly headerName: string
  readonly key: EngineOptions<Tx>['key']
  readonly url: EngineOptions<Tx>['url']
  readonly compares: 'request' | 'key'
  readonly required: boolean
  readonly strict: boolean
  readonly authenticate: Authenticate | undefined
  readonly validateKey: EngineOptions<Tx>['validateKey']
  readonly replayedHeaders: readonly string[]
  readonly replayHeader: ReplayHeader | undefined
  readonly disposition: DispositionOverrides
  readonly dispositionOf: DispositionOf<never> | undefined
  readonly whenUnknown: WhenUnknown
  readonly waitMs: number
  readonly handlerTimeoutMs: number
  readonly leaseMs: number
  readonly maxResponseBytes: number
  readonly response: 'buffer' | 'stream'
  readonly seal: Seal | undefined
  readonly redact: EngineOptions<Tx>['redact']
  readonly eventSource: string
  readonly problemStatus: ProblemStatuses
  readonly docsUrl: string | undefined
}

/** Validates and completes options, once. Throws `OptionsError` that says what to write instead. */
export function resolveOptions<Tx>(options: EngineOptions<Tx>): ResolvedOptions<Tx> {
  const store = checkStore(options?.store)
  const headerNames = headerList(options.header ?? 'Idempotency-Key')
  const [headerName] = headerNames
  const { disposition = {} } = options
  const namespace = word('namespace', options.namespace ?? 'http', 64)
  const handlerTimeoutMs = milliseconds('handlerTimeoutMs', options.handlerTimeoutMs ?? 30_000, 1)
  const leaseMs = milliseconds('leaseMs', options.leaseMs ?? 15_000, 30)
  return {
    store,
    namespace,
    methods: methodSet(options.methods ?? ['POST', 'PATCH']),
    header: headerName.toLowerCase(),
    headers: headerNames.map((name) => name.toLowerCase()),
    headerName,
    key: callback('key', options.key),
    url: callback('url', options.url),
    compares: oneOf('compares', options.compares ?? 'request', ['request', 'key']),
    required: flag('required', options.required ?? true),
    strict: flag('strict', options.strict ?? false),
    authenticate: callback('authenticate', options.authenticate),
    validateKey: callback('validateKey', options.validateKey),
    replayedHeaders: [options.replayedHeader ?? 'X-Idempotency-Replayed']
      .flat()
      .map((name) => httpToken('replayedHeader', name)),
    replayHeader: callback('replayHeader', options.replayHeader),
    disposition: typeof disposition === 'function' ? {} : checkDispositions(disposition),
    dispositionOf: typeof disposition === 'function' ? disposition : undefined,
    whenUnknown: checkWhenUnknown(options.whenUnknown ?? 'retake'),
    waitMs: milliseconds('waitMs', options.waitMs ?? 0, 0),
    handlerTimeoutMs,
    // In transaction mode there is nothing to renew: the lease is the store's backstop behind the engine's timer.
    leaseMs: store.capabilities.mode === 'lease' ? leaseMs : handlerTimeoutMs * 2,
    maxResponseBytes: positive('maxResponseBytes', options.maxResponseBytes ?? 1024 * 1024),
    response: oneOf('response', options.response ?? 'buffer', ['buffer', 'stream']),
    seal: checkSeal(options.seal),
    redact: callback('redact', options.redact),
    eventSource: word('eventSource', options.eventSource ?? `/${namespace}`, 255),
    problemStatus: checkProblemStatuses(options.problemStatus ?? {}),
    docsUrl: options.docsUrl === undefined ? undefined : checkUrl(options.docsUrl),
  }
}

/** For adapters: `scope` has no default, because a wrong one shows one customer another's response. */
export function checkScopeOption(scope: unknown): void {
  if (typeof scope !== 'function' && scope !== 'dangerously-shared') {
    throw new OptionsError(
      'scope is missing: write `scope: (req) => req.user.id` (who the keys belong to), ' +
        "or `scope: 'dangerously-shared'` if all callers may see one another's responses.",
    )
  }
}

function checkStore<Tx>(store: Store<Tx>): Store<Tx> {
  if (
    typeof store?.begin !== 'function' ||
    typeof store.open !== 'function' ||
    typeof store.capabilities !== 'object'
  ) {
    throw new OptionsError(
      'store is missing: write `store: postgresStore({ client: pool })` or `store: memoryStore()`.',
    )
  }
  return store
}

function methodSet(methods: readonly string[]): ReadonlySet<string> {
  if (
    !Array.isArray(methods) ||
    methods.length === 0 ||
    methods.some((method) => typeof method !== 'string' || !TOKEN.test(method))
  ) {
    throw new OptionsError(
      `methods must be a list of methods, such as ['POST'], not ${shown(methods)}.`,
    )
  }
  return new Set(methods.map((method: string) => method.toUpperCase()))
}

function headerList(given: string | readonly string[]): readonly [string, ...string[]] {
  const [first, ...others] = [given].flat()
  return [httpToken('header', first as string), ...others.map((name) => httpToken('header', name))]
}

function checkSeal(seal: Seal | undefined): Seal | undefined {
  return seal === undefined || typeof seal === 'function' ? seal : checkSealKeys(seal)
}

function checkDispositions(overrides: DispositionOverrides): DispositionOverrides {
  for (const [status, disposition] of Object.entries(overrides)) {
    if (!/^[2-5]\d\d$/.test(status)) {
      throw new OptionsError(
        `disposition: "${status}" is not a final status; write \`{ 402: 'commit' }\`.`,
      )
    }
    oneOf(`disposition[${status}]`, disposition, ['commit', 'refuse', 'retry'])
  }
  return overrides
}

function checkWhenUnknown(policy: WhenUnknown): WhenUnknown {
  if (typeof policy === 'function' || policy === 'retake' || policy === 'hold') return policy
  throw new OptionsError(
    `whenUnknown must be 'retake', 'hold' or a function that finds out, not ${shown(policy)}.`,
  )
}

function checkProblemStatuses(statuses: ProblemStatuses): ProblemStatuses {
  for (const [code, status] of Object.entries(statuses)) {
    if (!isProblemCode(code)) {
      throw new OptionsError(
        `problemStatus: ${shown(code)} is no code of a problem; write \`{ 'in-progress': 503 }\`.`,
      )
    }
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new OptionsError(
        `problemStatus['${code}'] must be a final status, such as 503, not ${shown(status)}.`,
      )
    }
  }
  return statuses
}

/** It goes into a Link header and gets a fragment. */
function checkUrl(url: string): string {
  if (!URL.canParse(url) || !/^[\x21-\x7e]+$/.test(url) || /[#<>]/.test(url)) {
    throw new OptionsError(
      `docsUrl must be an absolute URL without a fragment, such as 'https://api.example.com/docs/errors', not ${shown(url)}.`,
    )
  }
  return url
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/

function httpToken(option: string, value: string): string {
  if (typeof value !== 'string' || !TOKEN.test(value)) {
    throw new OptionsError(
      `${option} must be the name of a header, such as 'Idempotency-Key', not ${shown(value)}.`,
    )
  }
  return value
}

function word(option: string, value: string, most: number): string {
  if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || value.length > most) {
    throw new OptionsError(
      `${option} must be 1 to ${most} printable ASCII characters without spaces, not ${shown(value)}.`,
    )
  }
  return value
}

function flag(option: string, value: boolean): boolean {
  if (typeof value !== 'boolean')
    throw new OptionsError(`${option} must be true or false, not ${shown(value)}.`)
  return value
}

function callback<Callback>(option: string, value: Callback | undefined): Callback | undefined {
  if (value !== undefined && typeof value !== 'function')
    throw new OptionsError(`${option} must be a function, not ${shown(value)}.`)
  return value
}

/** A span of time that a timer can keep, twice over: `setTimeout` fires at once above 2^31 - 1. */
export function milliseconds(option: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least || value * 2 > 2 ** 31 - 1) {
    throw new OptionsError(
      `${option} must be a whole number of milliseconds from ${least} to 1_073_741_823, not ${shown(value)}.`,
    )
  }
  return value
}

/** A number of bytes. */
export function positive(option: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw new OptionsError(`${option} must be a positive whole number, not ${shown(value)}.`)
  return value
}

function oneOf<Choice extends string>(
  option: string,
  value: Choice,
  choices: readonly Choice[],
): Choice {
  if (!choices.includes(value)) {
    throw new OptionsError(
      `${option} must be ${choices.map((choice) => `'${choice}'`).join(' or ')}, not ${shown(value)}.`,
    )
  }
  return value
}

function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : inspect(value, { depth: 0 })
}

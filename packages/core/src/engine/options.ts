import type { Store } from '../contracts/store.ts'
import type { PlainResponse } from '../contracts/stored-response.ts'
import type { WhenUnknown } from '../contracts/when-unknown.ts'
import type { Authenticate } from '../request/authenticate.ts'
import type { Seal } from '../request/seal.ts'
import type { Disposition, DispositionOverrides } from '../response/disposition.ts'
import type { ReplayHeader } from '../response/header-rules.ts'
import type { ProblemStatuses } from '../response/problem.ts'

/**
 * The options of every adapter, beside its own `scope` and `fingerprint`. `Req` is the framework's
 * request.
 *
 * Options that are functions may be async, except `replayHeader`. What they throw goes to the
 * framework's error handler and nothing is stored. The same happens with `options-invalid` for an
 * invalid return value and with `option-timeout` after `handlerTimeoutMs`.
 */
// biome-ignore lint/suspicious/noExplicitAny: adapters say which request; options without functions fit all
export interface EngineOptions<Tx, Req = any> {
  /** Where keys and responses are kept. */
  readonly store: Store<Tx>
  /**
   * A constant for each use, so that client keys, webhook ids and jobs do not collide. @default
   * 'http'
   */
  readonly namespace?: string
  /**
   * Methods that are covered; requests with others pass untouched. With `authenticate` every method
   * but GET, HEAD and OPTIONS is covered as well. @default ['POST', 'PATCH']
   */
  readonly methods?: readonly string[]
  /**
   * The request header that carries the key. Of several headers, the first that is present counts;
   * two that carry different keys are refused. @default 'Idempotency-Key'
   */
  readonly header?: string | readonly string[]
  /**
   * Reads the key from somewhere other than a header: a form field, a member of a webhook's body.
   * Returns `undefined` where there is none. `raw` resolves to the bytes of the body, where the
   * adapter has them. @default the header
   */
  readonly key?: (
    request: Req,
    raw: () => Promise<Uint8Array>,
  ) => string | undefined | null | Promise<string | undefined | null>
  /**
   * The part of the URL that the fingerprint covers, for URLs that are signed or stamped anew on
   * every retry. @default path and query as the client sent them
   */
  readonly url?: (request: Req) => string | Promise<string>
  /**
   * What a retry must repeat: the `request`, or only the `key`, where a signature vouches for the
   * rest. @default 'request'
   */
  readonly compares?: 'request' | 'key'
  /**
   * Whether a request without a key is refused. If not, it runs with a transaction and events but
   * without a record. @default true
   */
  readonly required?: boolean
  /** Whether only the quoted form of draft-07 section 2.1 is accepted. @default false */
  readonly strict?: boolean
  /**
   * Called before any claim or replay, with the bytes of the body as received. Checks a webhook's
   * signature, for example. Requests with GET, HEAD and OPTIONS are not checked. @default none
   */
  readonly authenticate?: Authenticate
  /**
   * Checks the form that this API asks of keys, such as a UUID. @default any 1 to 255 printable
   * ASCII characters
   */
  readonly validateKey?: (key: string) => boolean | Promise<boolean>
  /**
   * Response headers that mark a replay with `true`; an empty list marks none. Not to be confused
   * with `replayHeader`. @default 'X-Idempotency-Replayed'
   */
  readonly replayedHeader?: string | readonly string[]
  /**
   * Decides whether replays carry a header of the response, given in lower case. `undefined` leaves
   * it to the standard list. Not to be confused with `replayedHeader`, which names the mark of a
   * replay.
   */
  readonly replayHeader?: ReplayHeader
  /**
   * Overrides the disposition of single statuses, or decides by the whole response, for protocols
   * that answer 200 for everything. A function returns `undefined` where the status decides, and
   * gets an empty body where the response streams. It is not called for a response written in parts
   * that is over `maxResponseBytes`, which is undone in any case. @default 2xx and 3xx commit; 4xx
   * refuse; 5xx and 401, 407, 408, 421, 423, 425, 429 retry, and so does a 4xx with `Retry-After`
   */
  readonly disposition?: DispositionOverrides | DispositionOf<Req>
  /**
   * Lease mode: what to do after an attempt that ended without reporting its outcome. `retake` runs
   * the handler again and is safe only if every outside call uses `deriveKey`. @default 'retake'
   */
  readonly whenUnknown?: WhenUnknown
  /** How long a retry waits for a running attempt's result before 409. Milliseconds. @default 0 */
  readonly waitMs?: number
  /**
   * How long a handler may take. After that its signal aborts, what it wrote in `transaction()` is
   * undone and the answer is 503. Milliseconds. @default 30_000
   */
  readonly handlerTimeoutMs?: number
  /**
   * Lease mode: how long an attempt owns its key without renewing; it renews three times within
   * that time. From 30 to 1_073_741_823, twelve days. Milliseconds. @default 15_000
   */
  readonly leaseMs?: number
  /**
   * The largest body that is kept, measured as it is sent, with its content coding. Bytes. @default
   * 1_048_576
   */
  readonly maxResponseBytes?: number
  /**
   * `stream`: the response passes through as it is written, and its body is not kept (server-sent
   * events). @default 'buffer'
   */
  readonly response?: 'buffer' | 'stream'
  /**
   * Seals stored headers and bodies with AES-256-GCM and makes fingerprints HMACs. A function may
   * provide the keys. @default none
   */
  readonly seal?: Seal
  /**
   * Changes what is stored of a response, not what the first client gets: removes a secret that is
   * shown only once. A coded body is passed decoded, where it can be decoded, and stored that way.
   * Not called for a response whose body is not kept: of that the status alone is stored.
   */
  readonly redact?: (response: PlainResponse) => PlainResponse | Promise<PlainResponse>
  /** CloudEvents `source` of emitted events. @default '/' + namespace */
  readonly eventSource?: string
  /**
   * Other statuses for problems, for clients that read only the status: `{ 'in-progress': 503 }`.
   * @default those of docs/errors.md
   */
  readonly problemStatus?: ProblemStatuses
  /**
   * Where the problem codes are documented, for each problem's `type` and a `describedby` link.
   * `https://x/errors` means headings of one page (`https://x/errors#key-reused`), and
   * `https://x/errors/`, with a slash, means a page for each code (`https://x/errors/key-reused`).
   */
  readonly docsUrl?: string
}

/** Decides the disposition of a response by more than its status. */
export type DispositionOf<Req> = (
  response: PlainResponse,
  request: Req,
) => Disposition | undefined | Promise<Disposition | undefined>

/** Options after validation, with every default filled in. */
export interface ResolvedOptions<Tx> {
  readonly store: Store<Tx>
  readonly namespace: string
  readonly methods: ReadonlySet<string>
  /** In lower case, for look-ups. */
  readonly header: string
  readonly headers: readonly string[]
  /** The header's name as the app wrote it, for messages. */
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

import type { Store } from '../contracts/store.ts'
import type { WhenUnknown } from '../contracts/when-unknown.ts'
import { OptionsError } from '../errors/errors.ts'
import {
  callback,
  flag,
  httpToken,
  MOST_RESPONSE_BYTES,
  milliseconds,
  oneOf,
  positive,
  shown,
  TOKEN,
  word,
} from '../options/check-option.ts'
import { checkSealKeys, type Seal } from '../request/seal.ts'
import type { DispositionOverrides } from '../response/disposition.ts'
import { isProblemCode, type ProblemStatuses } from '../response/problem.ts'
import type { EngineOptions, ResolvedOptions } from './options.ts'

/**
 * Validates options and fills in their defaults. Throws an `OptionsError` that says what to write
 * instead.
 */
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
    // Transaction mode renews no lease. There `leaseMs` is when the store itself ends an attempt
    // that the engine's timeout has not ended.
    leaseMs: store.capabilities.mode === 'lease' ? leaseMs : handlerTimeoutMs * 2,
    maxResponseBytes: positive(
      'maxResponseBytes',
      options.maxResponseBytes ?? 1024 * 1024,
      MOST_RESPONSE_BYTES,
    ),
    response: oneOf('response', options.response ?? 'buffer', ['buffer', 'stream']),
    seal: checkSeal(options.seal),
    redact: callback('redact', options.redact),
    eventSource: word('eventSource', options.eventSource ?? `/${namespace}`, 255),
    problemStatus: checkProblemStatuses(options.problemStatus ?? {}),
    docsUrl: options.docsUrl === undefined ? undefined : checkUrl(options.docsUrl),
  }
}

/**
 * Checks an adapter's `scope` option. It has no default, because a wrong one shows one customer
 * another's response.
 */
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
    `whenUnknown must be 'retake', 'hold' or a function that returns one of them or a response, not ${shown(policy)}.`,
  )
}

/** A problem would lose its code and its advice. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

function checkProblemStatuses(statuses: ProblemStatuses): ProblemStatuses {
  for (const [code, status] of Object.entries(statuses)) {
    if (!isProblemCode(code)) {
      throw new OptionsError(
        `problemStatus: ${shown(code)} is not a problem code; write \`{ 'in-progress': 503 }\`.`,
      )
    }
    if (!Number.isInteger(status) || status < 200 || status > 599 || BODILESS.has(status)) {
      throw new OptionsError(
        `problemStatus['${code}'] must be a final status whose responses have a body, such as 503, not ${shown(status)}.`,
      )
    }
  }
  return statuses
}

/** Checked strictly because the URL goes into a Link header and gets a code appended. */
function checkUrl(url: string): string {
  if (!URL.canParse(url) || !/^[\x21-\x7e]+$/.test(url) || /[#<>]/.test(url)) {
    throw new OptionsError(
      `docsUrl must be an absolute URL without a fragment, such as 'https://api.example.com/docs/errors', not ${shown(url)}.`,
    )
  }
  return url
}

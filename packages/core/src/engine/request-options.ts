import { callOption, returnedWrongly } from '../options/call-option.ts'
import { heard, isPromise } from '../options/check-option.ts'
import { signedBytes } from '../request/authenticate.ts'
import { chosenBody } from '../request/chosen-body.ts'
import { refusePart } from '../request/cut-off.ts'
import type { EngineRequest } from '../request/engine-request.ts'
import type { FingerprintInput, RequestBody } from '../request/fingerprint.ts'
import { checkedKey, type KeyReading, readKey } from '../request/key.ts'
import { checkSealKeys, type SealKeys } from '../request/seal.ts'
import type { ResolvedOptions } from './options.ts'

type Options = ResolvedOptions<unknown>

/**
 * Reads the parts of a request that its fingerprint is made of. Throws `ECONNABORTED` if it was cut
 * off, before the app's `fingerprint` function is called. An async `fingerprint` function
 * starts here and may reject while the engine awaits something else, or when nothing ever awaits
 * it. Its rejection gets a handler at once, so that it never ends the process, and is thrown where
 * the value is awaited.
 */
export function inputOf(request: EngineRequest): FingerprintInput | Promise<FingerprintInput> {
  refusePart(request)
  const input = request.fingerprintInput()
  return isPromise(input) ? input.then(heeded) : heeded(input)
}

function heeded(input: FingerprintInput): FingerprintInput {
  const { body, method } = input
  if (body.kind === 'chosen' && isPromise(body.value)) heard(body.value)
  // `patch` and `PATCH` reach the same handler, so they are the same request.
  const inUpperCase = method.toUpperCase()
  return method === inUpperCase ? input : { ...input, method: inUpperCase }
}

/** The body as received, even where the app chose other input for the fingerprint. */
export async function rawBodyOf(request: EngineRequest): Promise<RequestBody> {
  return request.rawBody === undefined ? (await inputOf(request)).body : request.rawBody()
}

/**
 * Reads the key of a request with the app's `key` function, or else from the headers that may carry
 * it.
 */
export function keyOf(options: Options, request: EngineRequest): KeyReading | Promise<KeyReading> {
  const { key, headers, handlerTimeoutMs } = options
  if (key !== undefined) {
    const raw = () => heard(rawBodyOf(request).then(signedBytes))
    return callOption('key', handlerTimeoutMs, () => key(request.native, raw), checkKey)
  }
  if (headers.length === 1) return readKey(request.header(options.header), options.strict)
  const readings = headers.map((name) => readKey(request.header(name), options.strict))
  const came = readings.filter(({ kind }) => kind !== 'missing')
  const [first = MISSING] = came
  const invalid = came.find(({ kind }) => kind === 'invalid')
  if (invalid !== undefined) return invalid
  return came.every((other) => 'key' in other && 'key' in first && other.key === first.key)
    ? first
    : { kind: 'invalid', reason: 'two headers carry different keys' }
}

const MISSING: KeyReading = { kind: 'missing' }

function checkKey(returned: unknown): KeyReading {
  if (returned === undefined || returned === null) return MISSING
  if (typeof returned === 'string') return checkedKey(returned)
  throw returnedWrongly('key', returned, 'a string, or undefined where there is none')
}

/**
 * Calls `authenticate` and throws what it throws. It refuses only by throwing, so a returned
 * `false` is reported as misuse rather than taken for consent.
 */
export function authenticated(
  options: Options,
  request: EngineRequest,
  body: RequestBody,
): undefined | Promise<undefined> {
  const { authenticate, handlerTimeoutMs } = options
  return callOption(
    'authenticate',
    handlerTimeoutMs,
    () => authenticate?.(request, signedBytes(body)),
    (returned) => {
      if ((returned as unknown as boolean) !== false) return undefined
      throw returnedWrongly(
        'authenticate',
        returned,
        'nothing: it throws `not-authentic` to refuse',
      )
    },
  )
}

/** Whether the app's `validateKey` accepts a key. */
export function isValidKey(options: Options, key: string): boolean | Promise<boolean> {
  const { validateKey, handlerTimeoutMs } = options
  if (validateKey === undefined) return true
  return callOption(
    'validateKey',
    handlerTimeoutMs,
    () => validateKey(key),
    (returned) => {
      if (typeof returned === 'boolean') return returned
      throw returnedWrongly('validateKey', returned, 'true or false')
    },
  )
}

const KEY_ALONE: FingerprintInput = {
  method: '',
  target: '',
  contentType: undefined,
  body: { kind: 'none' },
}

/** The fingerprint's input after the options `url`, `compares` and `fingerprint` are applied. */
export function countedInput(
  { url, compares, handlerTimeoutMs }: Options,
  request: EngineRequest,
  input: FingerprintInput,
): FingerprintInput | Promise<FingerprintInput> {
  if (compares === 'key') return KEY_ALONE
  if (url === undefined && input.body.kind !== 'chosen') return input
  const body = chosenBody(handlerTimeoutMs, input.body, request.native)
  // Called one after the other, because otherwise one could reject while only the other is awaited.
  const withBody = (body: FingerprintInput['body']) => {
    if (url === undefined) return { ...input, body }
    const target = callOption('url', handlerTimeoutMs, () => url(request.native), checkUrl)
    return isPromise(target)
      ? target.then((target) => ({ ...input, target, body }))
      : { ...input, target, body }
  }
  return isPromise(body) ? body.then(withBody) : withBody(body)
}

function checkUrl(returned: unknown): string {
  if (typeof returned === 'string') return returned
  throw returnedWrongly('url', returned, 'what counts of the URL, as a string')
}

/** The keys to seal responses with, from the option or from the function that provides them. */
export function sealOf({
  seal,
  handlerTimeoutMs,
}: Options): SealKeys | undefined | Promise<SealKeys | undefined> {
  if (typeof seal !== 'function') return seal
  return callOption('seal', handlerTimeoutMs, seal, (keys) => checkSealKeys(keys as SealKeys))
}

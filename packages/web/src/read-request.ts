import {
  type EngineRequest,
  OncekeyError,
  type RequestBody,
  resolveScope,
  type Scope,
} from '@oncekey/core'

/** A fetch request in the engine's words. The handler can still read its body: a clone is read here. */
export function readRequest(
  request: Request,
  options: {
    readonly scope: Scope<Request>
    readonly fingerprint?: (request: Request) => unknown
    readonly maxRequestBytes?: number
  },
): EngineRequest {
  const { method, headers } = request
  const { pathname, search } = new URL(request.url)
  const target = pathname + search
  let body: Promise<RequestBody> | undefined
  return {
    method,
    target,
    scope: resolveScope(options.scope, request),
    signal: request.signal,
    header: (name) => linesOf(headers, name),
    async fingerprintInput() {
      body ??= bodyOf(request, options)
      const contentType = headers.get('content-type') ?? undefined
      return { method, target, contentType, body: await body }
    },
  }
}

/** Lines of one header come joined; the engine refuses a list of keys as it does several lines. */
function linesOf(headers: Headers, name: string): readonly string[] {
  const value = headers.get(name)
  return value === null ? [] : [value]
}

async function bodyOf(
  request: Request,
  options: Parameters<typeof readRequest>[1],
): Promise<RequestBody> {
  const { fingerprint, maxRequestBytes = 1024 * 1024 } = options
  if (request.bodyUsed) {
    return {
      kind: 'unseen',
      hint: 'It was read before the wrapped handler was called. Hand over a clone, or say what counts with `fingerprint`.',
    }
  }
  if (fingerprint !== undefined) {
    return { kind: 'chosen', value: await fingerprint(request.clone()) }
  }
  if (request.body === null) return { kind: 'none' }
  const bytes = await atMost(maxRequestBytes, request.clone().body as ReadableStream<Uint8Array>)
  return bytes.length === 0 ? { kind: 'none' } : { kind: 'bytes', bytes }
}

async function atMost(maxBytes: number, stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return joined(chunks, size)
    chunks.push(value)
    size += value.length
    if (size > maxBytes) {
      // Not awaited: of a clone it resolves when the other half is given up as well.
      reader.cancel().catch(() => {})
      throw new OncekeyError(
        'request-too-large',
        `The body is over ${maxBytes} bytes, which is the most that is compared.`,
      )
    }
  }
}

/** The chunks as one. */
export function joined(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

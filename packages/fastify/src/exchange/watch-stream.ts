import type { ServerHttp2Stream } from 'node:http2'
import type { FastifyReply } from 'fastify'

/** Calls on the stream of an HTTP/2 response that bypass the response. */
export type StreamMethod = (typeof METHODS)[number]

/**
 * Watches the stream of an HTTP/2 reply. Each call of a stream method first calls `seen`, whose
 * result says what becomes of the call: `as it is` passes it to the stream; `again` makes the call
 * anew, because `seen` may have replaced the method; `ignored` drops it. Returns a function that
 * ends the watch; `undefined` where there is no stream.
 */
export function watchStream(
  { request, raw }: FastifyReply,
  seen: () => 'as it is' | 'again' | 'ignored',
): (() => void) | undefined {
  const { stream } = raw as unknown as { readonly stream?: ServerHttp2Stream }
  if (request.raw.httpVersionMajor < 2 || stream === undefined) return undefined
  const methods = stream as unknown as Record<StreamMethod, (...given: unknown[]) => unknown>
  const native = { ...pick(methods) }

  for (const name of METHODS) {
    methods[name] = (...given) => {
      // Node ends a stream that is being closed.
      const how = stream.closed || stream.destroyed ? 'as it is' : seen()
      if (how === 'ignored') return ignored(given)
      return Reflect.apply(how === 'again' ? methods[name] : native[name], stream, given)
    }
  }
  const piped = (source: unknown): void => {
    if (seen() === 'again') raw.emit('pipe', source)
  }
  stream.on('pipe', piped)

  return () => {
    Object.assign(methods, native)
    stream.off('pipe', piped)
  }
}

const METHODS = ['respond', 'respondWithFile', 'respondWithFD', 'write', 'end'] as const

function pick<Value>(methods: Readonly<Record<StreamMethod, Value>>): Record<StreamMethod, Value> {
  return Object.fromEntries(METHODS.map((name) => [name, methods[name]])) as never
}

function ignored(given: readonly unknown[]): boolean {
  const callback = given.findLast((argument) => typeof argument === 'function')
  if (callback !== undefined) process.nextTick(callback as () => void)
  return true
}

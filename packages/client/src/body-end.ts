/**
 * The same response, which calls back when its body has been read to its end; not when it was cut,
 * or cancelled. It is built anew, because a body does not tell how it is read.
 */
export function onBodyEnd(response: Response, ended: () => void): Response {
  const { status, statusText, headers } = response
  return withOrigin(new Response(watch(response, ended), { status, statusText, headers }), response)
}

/**
 * Reads the body no sooner than it is read itself: undici cancels the body of a response that
 * nobody holds any more, but only if it is not locked. And holds the response for as long as it is
 * held, because the signal follows it for that time (`followWhileHeld`).
 */
function watch(response: Response, ended: () => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  let reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined
  const body = () => {
    reader ??= (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader()
    return reader
  }
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await body().read()
        if (!done) return controller.enqueue(value)
        ended()
        controller.close()
      },
      cancel: (reason) => body().cancel(reason),
    },
    { highWaterMark: 0 },
  )
}

/** Gives a response, and its clones, the members that no constructor sets. */
function withOrigin(response: Response, origin: Response): Response {
  const { url, redirected, type } = origin
  const clone = () => withOrigin(Response.prototype.clone.call(response), origin)
  for (const [name, value] of Object.entries({ url, redirected, type, clone })) {
    Object.defineProperty(response, name, { value, configurable: true })
  }
  return response
}

/**
 * The same response, which calls back when its body has been read to its end; not when it was cut,
 * or cancelled. It is built anew, because a body does not tell how it is read.
 */
export function onBodyEnd(response: Response, ended: () => void): Response {
  const { status, statusText, headers } = response
  return withOrigin(new Response(watch(response, ended), { status, statusText, headers }), response)
}

/**
 * Passes on what is read. undici cancels the body of a response that was garbage-collected, unless
 * it is locked: so the response is held for as long as this body is, and the body is not locked
 * before it is read, or an answer that nobody wants would keep its connection.
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

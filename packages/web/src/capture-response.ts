import type { Answer, HeaderChange, Run } from '@oncekey/core'
import { joined } from './read-request.ts'
import { isBodiless, responseOf } from './response-of.ts'

/** Asks the run for its verdict on the handler's response, and makes what is sent. */
export async function captureResponse(run: Run, response: Response): Promise<Response> {
  if (!isSendable(response)) {
    await run.abandon()
    throw new TypeError(
      'The handler must return a Response of its own making, with a body that nobody has read: the same Response cannot be sent twice.',
    )
  }
  const { status } = response
  const head = { status, headers: headersOf(response) }
  const reader = isBodiless(status) ? undefined : response.body?.getReader()
  let collected: Collected | Answer
  try {
    collected = await Promise.race([collect(reader, run.maxResponseBytes), run.interrupted])
  } catch (error) {
    await run.abandon()
    throw error
  }
  if (collected.kind === 'problem' || collected.kind === 'replay') {
    reader?.cancel().catch(() => {})
    return responseOf(collected.response)
  }
  const verdict =
    collected.kind === 'whole'
      ? await run.complete({ ...head, body: collected.bytes })
      : await run.passThrough(head)
  if (verdict.kind === 'send') return sent(response, collected, reader)
  reader?.cancel().catch(() => {})
  return responseOf(verdict.response)
}

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** What a body held, or as much of it as may be kept, with the rest still to be read. */
type Collected =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'part'; readonly chunks: readonly Uint8Array[] }

function isSendable(response: unknown): response is Response {
  const { status, bodyUsed, headers } = (response ?? {}) as Partial<Response>
  return typeof status === 'number' && status >= 200 && bodyUsed === false && headers !== undefined
}

/** `Headers` joins the values of every header but `Set-Cookie`, and so does HTTP. */
function headersOf({ headers }: Response): HeaderChange[] {
  return [...headers].filter(([name]) => name !== 'content-length')
}

async function collect(reader: Reader | undefined, maxBytes: number): Promise<Collected> {
  if (reader === undefined) return { kind: 'whole', bytes: new Uint8Array() }
  const chunks: Uint8Array[] = []
  let size = 0
  if (maxBytes === 0) return { kind: 'part', chunks }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { kind: 'whole', bytes: joined(chunks, size) }
    // A copy: a source may use its buffer again.
    chunks.push(value.slice())
    size += value.length
    if (size > maxBytes) return { kind: 'part', chunks }
  }
}

function sent(response: Response, collected: Collected, reader: Reader | undefined): Response {
  const { status, statusText, headers } = response
  if (reader === undefined) return new Response(null, { status, statusText, headers })
  const body =
    collected.kind === 'whole' ? new Uint8Array(collected.bytes) : all(collected.chunks, reader)
  return new Response(body, { status, statusText, headers })
}

function all(chunks: readonly Uint8Array[], reader: Reader): ReadableStream<Uint8Array> {
  const waiting = [...chunks]
  return new ReadableStream({
    async pull(controller) {
      const chunk = waiting.shift() ?? (await reader.read()).value
      if (chunk === undefined) controller.close()
      else controller.enqueue(chunk)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

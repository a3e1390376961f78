import { getEventListeners } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createFetch } from '@oncekey/client'
import { expect, test, vi } from 'vitest'
import { memory } from './pending-page.ts'
import { answer, scriptedServer, stall, stallInBody } from './scripted-server.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

const post = { method: 'POST', body: 'x' } as const
const stream = { ...post, response: 'stream' } as const
const pending = { ...stream, operation: 'order' } as const
const patience = { timeout: 20_000 }
const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

/** Runs the garbage collector, and the finalizers that it leads to. */
async function collected(): Promise<void> {
  collect()
  await new Promise((resolve) => setTimeout(resolve, 5))
}

test('streams that have ended leave nothing on a signal that outlives them', async () => {
  const server = await scriptedServer(answer(201, 'whole'))
  const { signal } = new AbortController()
  const fetch = createFetch()
  for (let call = 0; call < 30; call += 1) {
    expect(await (await fetch(server.url, { ...stream, signal })).text()).toBe('whole')
  }
  await vi.waitFor(async () => {
    await collected()
    expect(listenersOf(signal)).toBe(0)
  }, patience)
})

test('calls at once share one listener on their signal, because Node warns from eleven on', async () => {
  const server = await scriptedServer(stall)
  const controller = new AbortController()
  const fetch = createFetch()
  const { signal } = controller
  const calls = Array.from({ length: 20 }, () => fetch(server.url, { ...stream, signal }))
  const ends = Promise.allSettled(calls)
  await vi.waitFor(() => expect(server.seen.length).toBe(20), patience)
  expect(listenersOf(signal)).toBe(1)
  controller.abort('enough')
  expect(await ends).toEqual(calls.map(() => ({ status: 'rejected', reason: 'enough' })))
})

const all = async (body: ReadableStream<Uint8Array> | null) => {
  for await (const _ of body ?? []);
}

function reading({ body }: Response): () => Promise<void> {
  const read = all(body)
  read.catch(() => {})
  return () => read
}

// Node itself cancels a body whose response was garbage-collected. With an operation the response
// is one of ours, around that of fetch.
test.each([
  ['the response', (response: Response) => () => all(response.body), stream],
  ['the reading of it', reading, stream],
  ['the response', (response: Response) => () => all(response.body), pending],
  ['the reading of it', reading, pending],
] as const)('a signal ends a stream of which only %s is held', async (_, held, init) => {
  const server = await scriptedServer(stallInBody)
  const controller = new AbortController()
  const { signal } = controller
  const fetch = createFetch({ pending: { storage: memory() } })
  const read = held(await fetch(server.url, { ...init, signal }))
  await collected()
  await collected()
  controller.abort('enough')
  await expect(read()).rejects.toBe('enough')
})

test('a stream with an operation that nobody reads frees its connection', async () => {
  const closed = vi.fn()
  const server = await scriptedServer((response) => {
    response.on('close', closed)
    stallInBody(response)
  })
  await createFetch({ pending: { storage: memory() } })(server.url, pending)
  await vi.waitFor(async () => {
    await collected()
    expect(closed).toHaveBeenCalled()
  }, patience)
})

// undici cancels the body of a response that was garbage-collected, and what the caller gets is a
// clone: its body has to outlive the response that fetch returned.
test.each([
  ['small', 1_000, {}],
  ['large', 3_000_000, {}],
  ['too large to be buffered', 3_000_000, { maxResponseBytes: 100_000 }],
])(
  'a body that is %s can be read after the response of fetch is gone',
  async (_, size, options) => {
    const server = await scriptedServer((response) => {
      response.writeHead(201)
      response.write('x'.repeat(size / 2))
      setImmediate(() => response.end('x'.repeat(size / 2)))
    })
    const gone: boolean[] = []
    const registry = new FinalizationRegistry<boolean>((is) => gone.push(is))
    const watched: typeof globalThis.fetch = async (...given) => {
      const response = await globalThis.fetch(...given)
      registry.register(response, true)
      return response
    }
    const response = await createFetch({ fetch: watched, ...options })(server.url, post)
    await vi.waitFor(async () => {
      await collected()
      expect(gone).toEqual([true])
    }, patience)
    await collected()
    expect((await response.text()).length).toBe(size)
  },
)

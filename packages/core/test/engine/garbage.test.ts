import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { post, response } from '../support/post.ts'

setFlagsFromString('--expose-gc')
const collectYoung: (options: { type: 'minor' }) => void = runInNewContext('gc')

const OF_A_REQUEST = 20_000
const REQUESTS = 1_000

test.each(['the request itself', 'who listens for an interruption'])(
  '%s of an ended request is collected while young, because nothing old refers to it',
  async (holder) => {
    const engine = createEngine<unknown>({ store: memoryStore() as never })
    await serve(200)
    const before = heapOf()
    await serve(REQUESTS)
    expect((heapOf() - before) / REQUESTS).toBeLessThan(OF_A_REQUEST / 4)

    async function serve(requests: number): Promise<void> {
      for (let at = 0; at < requests; at += 10) {
        await Promise.all(Array.from({ length: 10 }, () => serveOne()))
        collectYoung({ type: 'minor' })
      }
    }

    async function serveOne(): Promise<void> {
      const request = new Array<number>(OF_A_REQUEST / 8).fill(1)
      const native = holder === 'the request itself' ? { native: request } : {}
      const begun = await engine.begin({ ...post(crypto.randomUUID()), ...native })
      if (begun.kind !== 'run') throw new Error(`expected a run, got ${begun.kind}`)
      if (holder !== 'the request itself') begun.run.onInterrupted(() => request)
      const { key } = begun.run.context
      await new Promise((resolve) => setImmediate(resolve, key))
      await begun.run.complete(response(201))
    }
  },
)

function heapOf(): number {
  collectYoung({ type: 'minor' })
  collectYoung({ type: 'minor' })
  return process.memoryUsage().heapUsed
}

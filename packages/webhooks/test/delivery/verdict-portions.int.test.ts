import { beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

test('verdicts with long answers are all recorded, in statements bounded by bytes', async () => {
  const pool = database.pool({})
  const sizes: number[] = []
  // Counts every statement that goes over a connection of this pool.
  pool.on('connect', (client) => {
    const { stream } = (client as unknown as { connection: { stream: NodeJS.WritableStream } })
      .connection
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    stream.write = ((chunk: unknown, ...rest: unknown[]) => {
      sizes.push(Buffer.byteLength(chunk as Buffer))
      return write(chunk, ...rest)
    }) as typeof stream.write
  })
  const answer = 'x'.repeat(1024 * 1024)
  const receiver = await startReceiver((_, response) => response.writeHead(200).end(answer))
  const hooks = database.hooks({ client: pool, maxResponseBytes: answer.length })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const count = 12
  await fanOut(
    hooks,
    database.pool(),
    Array.from({ length: count }, () => eventOf()),
  )
  const worker = hooks.createWorker({ endpointConcurrency: count })
  expect(await worker.deliverOnce()).toBe(count)

  expect(Math.max(...sizes)).toBeLessThan(5 * 1024 * 1024)
  expect(
    await database.query(
      `select count(*)::int as kept, min(length(body)) as least from oncekey.webhook_attempts`,
    ),
  ).toEqual([{ kept: count, least: answer.length }])
  expect(await hooks.deliveries.list({ state: 'delivered' })).toHaveLength(count)
})

import { fileURLToPath } from 'node:url'
import { freePort, freshDatabase } from '@oncekey/test-servers'
import { inject, onTestFinished, test } from 'vitest'
import { bunBinary } from '../../../tests/packaging/src/npm-program.ts'
import { startServer } from '../../../tests/packaging/src/program.ts'
import { placesOrdersOnce } from './places-orders.ts'

// Bun is downloaded, and embedded Postgres compiled while other tests use the processors.
const SLOW_MS = 240_000

const cwd = fileURLToPath(new URL('..', import.meta.url))

test('on Bun an order is placed once, on embedded Postgres', { timeout: SLOW_MS }, async () => {
  await placesOrdersOnce(fetch, await startOnBun({}))
})

test('on Bun an order is placed once, on a Postgres server', { timeout: SLOW_MS }, async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  onTestFinished(() => database.drop())
  await placesOrdersOnce(fetch, await startOnBun({ DATABASE_URL: database.url }))
})

/** Runs what `start:bun` runs. Returns where it listens. */
async function startOnBun(env: Record<string, string>): Promise<string> {
  const PORT = String(await freePort())
  const binary = await bunBinary()
  const server = await startServer({ binary }, 'src/bun.ts', {
    cwd,
    env: { ...env, PORT },
    readyTimeoutMs: SLOW_MS,
  })
  onTestFinished(() => server.stop())
  return `http://127.0.0.1:${PORT}`
}

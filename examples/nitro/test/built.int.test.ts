import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, freshDatabase } from '@oncekey/test-servers'
import { beforeAll, inject, onTestFinished, test } from 'vitest'
import { cleanEnv } from '../../../tests/packaging/src/command.ts'
import { startServer } from '../../../tests/packaging/src/program.ts'
import { placesOrdersOnce } from '../../elysia/test/places-orders.ts'

// For a build, and for embedded Postgres, which is compiled at its first use, beside other tests.
const SLOW_MS = 300_000

const cwd = fileURLToPath(new URL('..', import.meta.url))

beforeAll(async () => {
  const nitro = fileURLToPath(new URL('../node_modules/.bin/nitro', import.meta.url))
  await promisify(execFile)(nitro, ['build'], { cwd, env: cleanEnv() })
}, SLOW_MS)

test('an order is placed once by the built server, on embedded Postgres', {
  timeout: SLOW_MS,
}, async () => {
  await placesOrdersOnce(fetch, await startBuilt({}))
})

test('an order is placed once by the built server, on a Postgres server', {
  timeout: SLOW_MS,
}, async () => {
  const database = await freshDatabase(inject('postgresUrl'))
  onTestFinished(() => database.drop())
  await placesOrdersOnce(fetch, await startBuilt({ DATABASE_URL: database.url }))
})

/** Runs what `start` runs after the build. Returns where it listens. */
async function startBuilt(env: Record<string, string>): Promise<string> {
  const PORT = String(await freePort())
  const node = { binary: process.execPath }
  const server = await startServer(node, '.output/server/index.mjs', {
    cwd,
    env: { ...env, PORT },
    readyTimeoutMs: SLOW_MS,
  })
  onTestFinished(() => server.stop())
  return `http://127.0.0.1:${PORT}`
}

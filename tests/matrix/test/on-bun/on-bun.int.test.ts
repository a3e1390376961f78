import { fileURLToPath } from 'node:url'
import { freshDatabase } from '@oncekey/test-servers'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { command } from '../../../packaging/src/command.ts'
import { bunBinary } from '../../../packaging/src/npm-program.ts'
import type { BunServerName } from '../../src/on-bun/bun-servers.ts'
import type { BunStoreName, Sentence } from '../../src/on-bun/run-contract.ts'
import { isWhole } from '../../src/whole.ts'

const folder = fileURLToPath(new URL('../../src/on-bun', import.meta.url))

const runs: readonly { server: BunServerName; store: BunStoreName }[] = [
  { server: 'Bun.serve', store: 'the memory store' },
  { server: 'Bun.serve', store: 'pg' },
  { server: 'Bun.serve', store: 'postgres.js' },
  { server: 'Elysia', store: 'the memory store' },
  { server: 'Elysia', store: 'pg' },
]

/**
 * Bun splits a body of bytes into a chunk of 16 KiB and the rest. So with a `maxResponseBytes`
 * below that, as here, a body that was complete at once looks like a stream that is still written,
 * which is stopped.
 */
const BROKEN =
  'memory store in lease mode: a response that is too large to be kept: in lease mode, of bytes: delivered once, and 410 result-gone from then on'

// Takes two minutes, and Bun is downloaded, so only a run of everything has it.
describe.runIf(isWhole)('the adapter contract on Bun', { timeout: 600_000 }, () => {
  for (const { server, store } of runs) {
    test(`is kept by ${server} on ${store}`, async () => {
      const database = await freshDatabase(inject('postgresUrl'))
      onTestFinished(() => database.drop())
      const args = ['run-contract.ts', server, store, database.url]
      const printed = await command(await bunBinary(), args, { cwd: folder })
      const sentences = printed
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Sentence)
      const failed = sentences.filter(({ failed }) => failed !== undefined)
      expect(failed.map(({ title }) => title)).toEqual(store === 'the memory store' ? [BROKEN] : [])
      const kept = sentences.filter(({ failed, skipped }) => (failed ?? skipped) === undefined)
      expect(kept.length).toBeGreaterThan(400)
    })
  }
})

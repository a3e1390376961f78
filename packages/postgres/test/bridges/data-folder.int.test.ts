import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { startNode, waitFor } from '@oncekey/test-servers'
import { afterAll, describe, expect, test } from 'vitest'
import { attemptOf, claimOf, said } from '../database/claims.ts'

// Without a lock, two processes open one data folder without an error and corrupt it.
describe('a data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-pglite-'))
  const dataDir = join(folder, 'data')
  const lock = `${dataDir}.oncekey.lock`
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test('belongs to one process, outlives it, and is taken over after a kill', async () => {
    const script = new URL('../children/pglite.ts', import.meta.url)
    const env = { DATA_DIR: dataDir }
    const first = await startNode(script, { env, readyTimeoutMs: 200_000 })
    expect(readFileSync(lock, 'utf8')).toBe(`${first.pid}\n${hostname()}\n`)
    await expect(startNode(script, { env, readyTimeoutMs: 200_000 })).rejects.toThrow(
      `in use by process ${first.pid}`,
    )
    first.kill('SIGKILL')
    await first.exited

    const own = new PGlite(dataDir)
    const client = fromPglite(own)
    expect(readFileSync(lock, 'utf8')).toBe(OWN_LOCK)
    const store = postgresStore({ client })
    expect(said(await store.begin(claimOf({ key: 'finished' })))).toBe('replay 201 done')
    await attemptOf(await store.begin(claimOf({ key: 'running' }))).release()

    expect(fromPglite(own)).toMatchObject({ concurrency: 'one' })
    expect(() => fromPglite({ ...fake, dataDir: `file://${dataDir}` })).toThrow(/in use by process/)
    symlinkSync(dataDir, join(folder, 'link'))
    expect(() => fromPglite({ ...fake, dataDir: join(folder, 'link') })).toThrow(/in use/)
    await own.close()
    fromPglite({ ...fake, dataDir })
  }, 300_000)

  test('locked by an earlier process with our pid is taken over', () => {
    const other = join(folder, 'reused')
    writeFileSync(`${other}.oncekey.lock`, `${process.pid}\n`)
    fromPglite({ ...fake, dataDir: other })
    for (const [name, text] of [
      ['empty', ''],
      ['torn', 'not a number'],
      ['gone', '4194305\n'],
    ] as const) {
      writeFileSync(join(folder, `${name}.oncekey.lock`), text)
      fromPglite({ ...fake, dataDir: join(folder, name) })
      expect(readFileSync(join(folder, `${name}.oncekey.lock`), 'utf8')).toBe(OWN_LOCK)
    }
  })

  // A bug: in two containers the processes are number 1 each, or do not see each other, so the
  // second took the lock for its own or for that of a dead process. Both had the folder open.
  test.each([process.pid, 4_194_305])(
    'locked on another host, by process %i, is refused until its owner has not touched it for long',
    (pid) => {
      const shared = join(folder, `shared-${pid}`)
      const lock = `${shared}.oncekey.lock`
      writeFileSync(lock, `${pid}\na-container\n`)
      expect(() => fromPglite({ ...fake, dataDir: shared })).toThrow(
        new RegExp(`in use by process ${pid} of the host a-container, .*${lock} was not touched`),
      )
      const longAgo = new Date(Date.now() - 31_000)
      utimesSync(lock, longAgo, longAgo)
      fromPglite({ ...fake, dataDir: shared })
      expect(readFileSync(lock, 'utf8')).toBe(OWN_LOCK)
    },
  )

  test('that is locked is touched by its owner', async () => {
    const own = join(folder, 'touched')
    const lock = `${own}.oncekey.lock`
    fromPglite({ ...fake, dataDir: own })
    const longAgo = new Date(0)
    utimesSync(lock, longAgo, longAgo)
    await waitFor(() => statSync(lock).mtimeMs > 0, { what: 'the lock to be touched' })
  }, 60_000)

  test.each([undefined, '', 'memory://', 'memory://x', 'idb://x', 'opfs-ahp://x'])(
    '%j is none',
    (inMemory) => {
      fromPglite({ ...fake, dataDir: inMemory })
      expect(existsSync(`${inMemory}.oncekey.lock`)).toBe(false)
    },
  )
})

const OWN_LOCK = `${process.pid}\n${hostname()}\n`

/** An object with the methods of a database, which are never called. */
const fake = {
  closed: false,
  query: () => Promise.reject(new Error('not asked')),
  transaction: () => Promise.reject(new Error('not asked')),
}

import { cpSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PGlite } from '@electric-sql/pglite'
import { NodeFS } from '@electric-sql/pglite/nodefs'
import { migrate, postgresStore } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { afterAll, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'

const folder = mkdtempSync(join(tmpdir(), 'oncekey-pglite-'))
const data = join(folder, 'data')
const synced = join(folder, 'synced')
afterAll(() => rmSync(folder, { recursive: true }))

/** A file system that keeps only what was synced, as those in a browser do. */
class SyncedFS extends NodeFS {
  isGone = false
  #syncedAt = 0

  override async syncToFs(): Promise<void> {
    await sleep(20)
    if (this.isGone) return
    const since = this.#syncedAt
    this.#syncedAt = Date.now() - 1_000
    const isNew = (path: string): boolean => {
      const found = statSync(path)
      return found.isDirectory() || found.mtimeMs >= since
    }
    cpSync(data, synced, { recursive: true, filter: isNew })
  }
}

// A bug: PGlite does not sync after the COMMIT of a transaction, and neither did the bridge. What
// was reported as stored was lost with the process.
test('what PGlite has committed is synced before it is reported as stored', async () => {
  const fs = new SyncedFS(data)
  const db = new PGlite({ fs })
  await migrate(fromPglite(db))
  const store = postgresStore({ client: fromPglite(db), acquireTimeoutMs: 30_000 })
  const claim = claimOf()
  const attempt = attemptOf(await store.begin(claim))
  // Begins while the response is being synced.
  const next = store.begin(claimOf())
  expect(await attempt.complete(kept('done'))).toBe('stored')
  fs.isGone = true
  await attemptOf(await next).release()
  await db.close()

  const left = new PGlite(synced)
  const replay = await postgresStore({ client: fromPglite(left) }).begin(again(claim))
  await left.close()
  expect(said(replay)).toBe('replay 201 done')
}, 120_000)

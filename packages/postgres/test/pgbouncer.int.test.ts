import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@oncekey/postgres'
import { freePort, waitFor } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { again, claimOf, eventOf, kept, refused, said } from './claims.ts'
import { storeOn, testDatabase } from './test-database.ts'

// Debian: apt-get install pgbouncer.
describe.skipIf(!isInstalled())('behind PgBouncer in transaction mode', () => {
  const database = testDatabase()
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-pgbouncer-'))
  let pgbouncer: ChildProcess
  let url: string

  beforeAll(async () => {
    const port = await freePort()
    const server = new URL(database.url())
    url = Object.assign(new URL(server), { port: `${port}` }).href
    const name = server.pathname.slice(1)
    const to = `host=${server.hostname} port=${server.port} dbname=${name}`
    const as = `user=${server.username} password=${server.password}`
    const config = join(folder, 'pgbouncer.ini')
    writeFileSync(
      config,
      `[databases]
${name} = ${to} ${as}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
`,
    )
    chmodSync(folder, 0o755)
    // It refuses to run as root.
    const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    pgbouncer = spawn('pgbouncer', [config], { ...identity, cwd: folder, stdio: 'ignore' })
    await waitFor(() => pools(1)[0]?.query('select 1'), { what: 'PgBouncer to answer' })
  })

  afterAll(() => {
    pgbouncer.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  function pools(count: number, pipeline = false): Pool[] {
    return Array.from({ length: count }, () =>
      database.pool({ connectionString: url, max: 20, pipeline }),
    )
  }

  test.each([false, true])(
    'one key is one effect, whatever happens at once: pipeline %s',
    async (pipeline) => {
      const clients = pools(2, pipeline)
      for (const client of clients) await migrate(client)
      const stores = clients.map((client) => storeOn(client, { acquireTimeoutMs: 30_000 }))
      const claims = Array.from({ length: 50 }, () => claimOf())
      const effects = new Map<string, number>()
      const request = async (index: number): Promise<void> => {
        const claim = claims[(index * 7) % claims.length]
        const waitMs = index % 3 === 0 ? 0 : 5_000
        if (claim === undefined) return
        const decision = await stores[index % 2]?.begin(again(claim, { waitMs }))
        if (decision?.kind !== 'run') return
        const { attempt } = decision
        await (await attempt.transaction()).query('insert into orders values ($1)', [randomUUID()])
        if (index % 11 === 0) return attempt.abandon()
        const outcome = await attempt.complete(
          index % 13 < 4 ? refused(claim.key) : kept(claim.key, [eventOf()]),
        )
        // Superseded: another attempt got the key between the refusal's rollback and its record.
        if (outcome === 'stored') effects.set(claim.key, (effects.get(claim.key) ?? 0) + 1)
      }
      let next = 0
      const client = async (): Promise<void> => {
        while (next < 1_500) await request(next++)
      }
      await Promise.all(Array.from({ length: 30 }, client))
      expect([...effects.values()]).toEqual(Array(50).fill(1))
      for (const claim of claims) {
        const replay = await storeOn(clients[0] as Pool).begin(again(claim))
        expect(said(replay)).toMatch(new RegExp(`^replay (201|422) ${claim.key}$`))
      }
      await waitFor(async () => (await database.locks()) === 0, { what: 'every lock to be let go' })
    },
  )

  test.each([false, true])('the same in lease mode: pipeline %s', async (pipeline) => {
    const clients = pools(2, pipeline)
    for (const client of clients) await migrate(client)
    // Handlers in transactions hold connections of the pooler, too; one of its five has to be free.
    const stores = clients.map((client) =>
      storeOn(client, { mode: 'lease', maxConcurrent: 2, acquireTimeoutMs: 30_000 }),
    )
    const claims = Array.from({ length: 50 }, () => claimOf())
    const effects = new Map<string, number>()
    const request = async (index: number): Promise<void> => {
      const claim = claims[(index * 7) % claims.length]
      const waitMs = index % 3 === 0 ? 0 : 5_000
      if (claim === undefined) return
      const decision = await stores[index % 2]?.begin(again(claim, { waitMs }))
      if (decision?.kind !== 'run') return
      const { attempt } = decision
      if (index % 2 === 0) {
        await (await attempt.transaction()).query('insert into orders values ($1)', [randomUUID()])
      }
      expect(await attempt.renew(60_000)).toBe('held')
      if (index % 11 === 0) return attempt.abandon()
      const outcome = await attempt.complete(
        index % 13 < 4 ? refused(claim.key) : kept(claim.key, [eventOf()]),
      )
      if (outcome === 'stored') effects.set(claim.key, (effects.get(claim.key) ?? 0) + 1)
    }
    let next = 0
    const client = async (): Promise<void> => {
      while (next < 300) await request(next++)
    }
    await Promise.all(Array.from({ length: 30 }, client))
    expect([...effects.values()]).toEqual(Array(50).fill(1))
    for (const claim of claims) {
      const replay = await storeOn(clients[0] as Pool, { mode: 'lease' }).begin(again(claim))
      expect(said(replay)).toMatch(new RegExp(`^replay (201|422) ${claim.key}$`))
    }
    await waitFor(async () => (await database.locks()) === 0, { what: 'every lock to be let go' })
    expect(await database.query('select from oncekey.attempts')).toEqual([])
  })
})

function isInstalled(): boolean {
  try {
    execFileSync('pgbouncer', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

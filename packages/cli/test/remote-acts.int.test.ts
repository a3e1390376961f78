import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createSagaRunner, saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import { expect, onTestFinished, test } from 'vitest'
import { dashboardWith } from './dashboard-process.ts'
import { ended, startOncekey } from './oncekey.ts'
import { cliDatabase } from './servers.ts'

const database = cliDatabase(['saga', 'webhooks'])
const act = ['--note', 'the carrier is back', '--yes']

/** A dashboard of this database. */
async function dashboardHere(env: Record<string, string>) {
  const { url, token, through } = await dashboardWith({ DATABASE_URL: database.url(), ...env })
  const home = async () =>
    (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text()
  return { through, home }
}

// A bug: a run that a process drives was reported as running now, although nothing was changed.
test('through a dashboard, a resume says whether it did anything', async () => {
  let isDown = true
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const order = saga<null, unknown>('order', { version: 1 })
    .step('ship', {
      kind: 'pivot',
      retry: { maxAttempts: 1 },
      run: async () => {
        if (isDown) throw new Error('the carrier is down')
      },
    })
    .step('tell', { kind: 'retriable', run: ({ runId }) => (runId === 'slow' ? held : undefined) })
  const runner = createSagaRunner({
    client: database.pool(),
    sagas: [order as never],
    pollMs: 1,
    onAlert: () => {},
  })
  for (const id of ['quick', 'slow']) {
    await runner.execute(order as never, { id, input: null as never }).catch(() => {})
  }
  isDown = false
  const { through } = await dashboardHere({})
  const resumed = await through(['sagas', 'resume', 'quick', ...act])
  expect(resumed).toMatchObject({ code: 0, stdout: 'Run quick is running now.\n' })
  runner.start()
  onTestFinished(() => runner.stop())
  await waitFor(async () => (await runner.get('quick'))?.state === 'completed', { what: 'its end' })

  await runner.resume('slow')
  const isDriven = async () =>
    (await runner.get('slow'))?.steps.some(({ name }) => name === 'tell') === true
  await waitFor(isDriven, { what: 'the last step' })
  const refused = await through(['sagas', 'resume', 'slow', ...act])
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('A process drives run slow at present: nothing was changed'),
  })
  const json = await database.run(['sagas', 'resume', 'slow', ...act, '--json'])
  expect(json.code).toBe(1)
  expect(JSON.parse(json.stdout)).toMatchObject({ id: 'slow', state: 'under-way', done: false })
  letGo()
})

// A bug: in a container whose user id has no name, the command failed before it listened.
test('the dashboard starts for a user who has no name, and goes by ONCEKEY_ACTOR', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-nameless-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'nameless.mjs')
  writeFileSync(
    file,
    `import os from 'node:os'
     import { syncBuiltinESMExports } from 'node:module'
     os.userInfo = () => { throw new Error('uv_os_get_passwd returned ENOENT') }
     syncBuiltinESMExports()`,
  )
  const NODE_OPTIONS = `--import=${pathToFileURL(file)}`
  const { home } = await dashboardHere({ NODE_OPTIONS })
  expect(await home()).toMatch(/<span class="who">uid-\d+@/)
  const named = await dashboardHere({ NODE_OPTIONS, ONCEKEY_ACTOR: 'maria@shop.example' })
  expect(await named.home()).toContain('<span class="who">maria@shop.example')
})

// A bug: the dashboard started, and refused every act.
test('a dashboard does not start for an actor who cannot be on record', async () => {
  const env = { ONCEKEY_ACTOR: 'm'.repeat(201), DATABASE_URL: database.url() }
  const child = startOncekey(['dashboard', '--port', '0'], env)
  onTestFinished(() => void child.kill('SIGTERM'))
  expect(await ended(child)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('ONCEKEY_ACTOR must be 1 to 200 characters'),
  })
})

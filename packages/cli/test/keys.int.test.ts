import { userInfo } from 'node:os'
import { postgresStore } from '@oncekey/postgres'
import { describe, expect, test } from 'vitest'
import { cliDatabase } from './servers.ts'

const database = cliDatabase()
const { run, query } = database

/** Leaves a key of lease mode whose attempt ended without an outcome. */
async function unknownKey(key: string, scope = 'customer-7'): Promise<void> {
  await query(
    `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until)
      values ('http', $1, $2, 'f1', 1, $2, now() - interval '1 minute')`,
    [scope, key],
  )
}

async function finishedKey(key: string, body = '{"id":9007199254740993}'): Promise<void> {
  await query(
    `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
      values ('http', 'customer-7', $1, 'f1', 201, '[["content-type","application/json"]]', $2)`,
    [key, Buffer.from(body)],
  )
}

const act = ['--note', 'the gateway never saw it', '--yes']
const scope = ['--scope', 'customer-7']

describe('keys get', () => {
  test('shows a key with its response, and exact integers in JSON', async () => {
    await finishedKey('shown')
    const shown = await run(['keys', 'get', 'shown', ...scope, '--body'])
    expect(shown.stdout).toContain('state        finished\n')
    expect(shown.stdout).toContain('status       201\n')
    expect(shown.stdout).toContain('Body\n    {"id":9007199254740993}\n')
    expect(shown).toMatchObject({ code: 0, stderr: '' })

    const { stdout } = await run(['keys', 'get', 'shown', ...scope, '--body', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      state: 'finished',
      fingerprint: 'f1',
      response: { status: 201, json: { id: '9007199254740993' } },
    })
  })

  test('ends with 1 where nothing is known', async () => {
    const nothing = await run(['keys', 'get', 'nobody', ...scope])
    expect(nothing).toMatchObject({ code: 1, stdout: '' })
    expect(nothing.stderr).toMatch(/^oncekey: Nothing is known of key "nobody"/)
  })
})

describe('keys list', () => {
  test('goes through pages, by what the page before ended with', async () => {
    for (const key of ['page-1', 'page-2', 'page-3']) await finishedKey(key)
    const list = ['keys', 'list', ...scope, '--prefix', 'page-', '--limit', '2']
    const first = await run(list)
    expect(first.stdout).toContain('page-1\n')
    expect(first.stdout).not.toContain('page-3')
    const token = first.stdout.match(/--page (\S+)/)?.[1] ?? ''
    const second = await run([...list, '--page', token])
    expect(second.stdout).toContain('page-3\n')
    expect(second.stdout).not.toContain('--page')
  })

  test('says where there are none', async () => {
    const none = await run(['keys', 'list', '--scope', 'nobody'])
    expect(none).toMatchObject({ code: 0, stdout: 'There are no such keys.\n' })
  })
})

describe('an act on a key', () => {
  test('releases it, with who and why in the audit', async () => {
    await unknownKey('to-release')
    const list = await run(['keys', 'list', '--state', 'unknown'])
    expect(list.stdout).toMatch(/unknown .* customer-7 +to-release\n/)
    const released = await run(['keys', 'release', 'to-release', ...scope, ...act])
    expect(released).toMatchObject({ code: 0, stderr: '' })
    expect(released.stdout).toBe('Key "to-release" of scope "customer-7": released.\n')
    const audit = await run(['operations', 'list', '--key', 'to-release', ...scope, '--json'])
    expect(JSON.parse(audit.stdout).items).toMatchObject([
      { act: 'keys.release', note: 'the gateway never saw it' },
    ])
    const [{ actor }] = JSON.parse(audit.stdout).items
    expect(actor).toMatch(new RegExp(`^${userInfo().username}@.+`))
    expect((await run(['keys', 'get', 'to-release', ...scope])).code).toBe(1)
  })

  test('answers it with a body from stdin: a retry is replayed that', async () => {
    await unknownKey('to-answer')
    const answered = await run(
      [
        ...['keys', 'answer', 'to-answer', ...scope, ...act, '--actor', 'maria@shop.example'],
        ...['--status', '201', '--header', 'Content-Type: text/plain', '--body-file', '-'],
      ],
      { input: 'charged' },
    )
    expect(answered).toMatchObject({ code: 0, stderr: '' })
    const store = postgresStore({ client: database.pool() })
    const name = { namespace: 'http', scope: 'customer-7', key: 'to-answer' }
    const found = await store.keys.get(name, { body: true })
    expect(found?.response).toMatchObject({
      status: 201,
      headers: [['content-type', 'text/plain']],
      body: Buffer.from('charged'),
    })
    const audit = await run(['operations', 'list', '--actor', 'maria@shop.example'])
    expect(audit.stdout).toMatch(/maria@shop\.example +keys\.answer/)
  })

  test('forgets it only with the fingerprint that was looked at', async () => {
    await finishedKey('to-forget')
    const forget = ['keys', 'forget', 'to-forget', ...scope, ...act, '--fingerprint']
    const other = await run([...forget, 'f2'])
    expect(other.stderr).toMatch(/has another fingerprint: nothing was changed/)
    expect(other.code).toBe(1)
    expect((await run([...forget, 'f1'])).code).toBe(0)
  })

  test('is refused in one sentence where it makes no sense, and says so in JSON, too', async () => {
    await finishedKey('is-finished')
    const release = ['keys', 'release', 'is-finished', ...scope, ...act]
    const refused = await run(release)
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toMatch(/^oncekey: Key "is-finished" .* is finished[^\n]*\n$/)
    const { code, stdout } = await run([...release, '--json'])
    expect({ code, result: JSON.parse(stdout).result }).toEqual({ code: 1, result: 'finished' })
  })

  test('needs a note, and a confirmation that a script can only give with --yes', async () => {
    await unknownKey('kept')
    const silent = await run(['keys', 'release', 'kept', ...scope, '--yes'])
    expect(silent.stderr).toMatch(/^oncekey: --note is missing: say why/)
    expect(silent.code).toBe(2)
    const unasked = await run(['keys', 'release', 'kept', ...scope, '--note', 'why'], {
      input: 'kept\n',
    })
    expect(unasked.stderr).toMatch(/Nobody can be asked here: write --yes if that is meant\.\n$/)
    expect(unasked.code).toBe(2)
    expect((await run(['keys', 'get', 'kept', ...scope])).stdout).toContain('unknown')
  })
})

describe('what somebody else wrote', () => {
  // Clears the screen, sets the title, goes up a line, reverses the direction of writing; contains
  // a C1 control and a zero-width character.
  const hostile = 'k\u001b[2J\u001b]0;pwned\u0007\u001b[1A\r\n\u009b31m\u202e\u200bevil'

  test('cannot drive the terminal, and is the same in JSON', async () => {
    await unknownKey(hostile, 'hostile')
    const list = await run(['keys', 'list', '--scope', 'hostile'])
    const lines = list.stdout.split('\n')
    expect(lines).toHaveLength(3)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(list.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]/)
    expect(lines[1]).toContain(
      'k\\x1b[2J\\x1b]0;pwned\\x07\\x1b[1A\\r\\n\\x9b31m\\u{202e}\\u{200b}evil',
    )

    const { stdout } = await run(['keys', 'list', '--scope', 'hostile', '--json'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]/)
    expect(JSON.parse(stdout).items[0].key).toBe(hostile)
  })

  test('nor in a body, a header or an error', async () => {
    await query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body)
        values ('http', 'hostile', 'body', 'f1', 200, $1, $2)`,
      [JSON.stringify([['x-\u001b[31m', hostile]]), Buffer.from(`one\n${hostile}`)],
    )
    const shown = await run(['keys', 'get', 'body', '--scope', 'hostile', '--body'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(shown.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]/)
    expect(shown.stdout).toContain('    one\n    k\\x1b[2J')
    const missing = await run(['keys', 'get', `no${hostile}`, '--scope', 'hostile'])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(missing.stderr).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]/)
  })
})

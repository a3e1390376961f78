import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { freePort, startRedis } from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { bareEnv, ended, nodeArgs, oncekey, startOncekey } from './oncekey.ts'
import { cliDatabase } from './servers.ts'

const { run, query, url } = cliDatabase()

describe('the command line', () => {
  test('--help shows every verb, and the help of each has an example of its own', async () => {
    const { code, stdout } = await oncekey(['--help'])
    expect(code).toBe(0)
    const verbs = [...stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?)(?: |$)/gm)].map(([, verb]) => verb)
    expect(verbs).toContain('keys release')
    const help = await oncekey(['keys', 'release', '--help'])
    expect(help.stdout).toMatch(/Usage\n {2}oncekey keys release <key> \[options\]\n/)
    expect(help.stdout).toMatch(/Example\n {2}oncekey keys release b51d0a30 /)
    expect(help.code).toBe(0)
  })

  test.each([
    { args: [], says: '' },
    {
      args: ['nonsense'],
      says: 'There is no verb "nonsense": oncekey --help shows what there is.',
    },
    { args: ['keys'], says: 'keys needs a verb: take one of those above.' },
    { args: ['keys', 'get'], says: '<key> is missing. See oncekey keys get --help.' },
    { args: ['keys', 'get', 'a', 'b'], says: '"b" is one argument too many.' },
    { args: ['keys', 'get', 'a'], says: '--scope is missing' },
    {
      args: ['keys', 'list', '--stat', 'unknown'],
      says: "Unknown option '--stat': see oncekey keys list",
    },
    { args: ['keys', 'get', '-k'], says: 'write -- before what begins with a dash.' },
    { args: ['--json', 'keys', 'list'], says: 'The verb comes first: oncekey doctor --json' },
    { args: ['keys', 'list', '--state', 'lost'], says: '--state must be one of running, unknown' },
    {
      args: ['keys', 'list', '--limit', '0'],
      says: '--limit must be a whole number from 1 to 1000',
    },
    { args: ['keys', 'list', '--page', 'x'], says: '--page must be what the page' },
    { args: ['webhooks', 'deliveries', '--endpoint', 'x'], says: '--endpoint: "x" is not an id.' },
    { args: ['doctor', '--database', 'postgres://u:12#3@h/d'], says: '--database has a # in it' },
    { args: ['keys', 'list', '--timeout', '5'], says: '--timeout must be a length of time' },
    { args: ['operations', 'list', '--since', 'now'], says: '--since must be a time such as' },
    { args: ['keys', 'list', '--schema', 'pg_x'], says: '"pg_x" is not a schema name' },
    { args: ['doctor', '--database', 'mysql://x/y'], says: '--database is not a URL of this kind' },
  ])('wrong usage ends with 2 and one sentence: $args', async ({ args, says }) => {
    const { code, stderr } = await run(args)
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(says) })
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  test('a database that no option and no variable names is asked for', async () => {
    const { code, stderr } = await oncekey(['migrate'])
    expect(stderr).toMatch(/^oncekey: No database is named: write --database /)
    expect(code).toBe(2)
  })
})

describe('a server that cannot be reached', () => {
  test('is told in one sentence, without its password and without a stack', async () => {
    const port = await freePort()
    const down = await run([
      'keys',
      'list',
      '--database',
      `postgres://app:hunter2@127.0.0.1:${port}/shop`,
    ])
    expect(down).toEqual({
      code: 3,
      stdout: '',
      stderr: `oncekey: PostgreSQL at 127.0.0.1:${port}/shop refuses connections: check that it runs, and that --database names it.\n`,
    })
    const debugged = await run([
      ...['keys', 'list', '--debug'],
      ...['--database', `postgres://app:hunter2@127.0.0.1:${port}/shop?password=hunter2`],
    ])
    expect(debugged.stderr).toMatch(/\n {4}at /)
    expect(debugged.stderr).not.toContain('hunter2')
  })

  test('that takes connections and never answers is given up', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    try {
      for (const [option, name] of [
        ['--database', 'postgres'],
        ['--redis', 'redis'],
      ]) {
        const args = [`${option}`, `${name}://:hunter2@127.0.0.1:${port}`, '--timeout', '300ms']
        const { code, stderr } = await oncekey(['doctor', ...args])
        expect(stderr).toMatch(/at 127\.0\.0\.1:\d+ did not answer in time: check that it runs/)
        expect({ code, hasPassword: stderr.includes('hunter2') }).toEqual({
          code: 3,
          hasPassword: false,
        })
      }
    } finally {
      silent.close()
    }
  })

  test('that stops in the middle is given up, too', async () => {
    const redis = await startRedis()
    try {
      redis.pause()
      const args = ['--redis', redis.url, '--timeout', '500ms']
      const stopped = await oncekey(['dead', 'groups', ...args])
      expect(stopped.stderr).toMatch(/^oncekey: Redis at .* did not answer in time/)
      expect(stopped.code).toBe(3)
    } finally {
      redis.resume()
      await redis.stop()
    }
  })

  test('nor a login that is refused, a database that is not there, a Redis that is down', async () => {
    const wrong = new URL(url())
    wrong.password = 'hunter22'
    const login = await run(['keys', 'list', '--database', wrong.href])
    expect(login).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/did not let this login in \(password authentication failed/),
    })
    wrong.href = url()
    wrong.pathname = '/nowhere'
    const nowhere = await run(['keys', 'list', '--database', wrong.href])
    expect(nowhere).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/"nowhere" does not exist/),
    })
    const redis = await run(['doctor', '--redis', `redis://127.0.0.1:${await freePort()}`])
    expect(redis).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^oncekey: Redis at .* refuses/),
    })
  })

  test('a schema that is not there, or that the role may not read, is no stack trace either', async () => {
    const none = await run(['keys', 'list', '--schema', 'nowhere'])
    expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/run oncekey migrate/) })
    await query(`create role shell_nobody login password 'nobody'`)
    const nobody = new URL(url())
    nobody.username = 'shell_nobody'
    nobody.password = 'nobody'
    try {
      const refused = await run(['keys', 'list', '--database', nobody.href])
      expect(refused.stderr).toMatch(/^oncekey: The role may not do that \(permission denied/)
      expect(refused.code).toBe(1)
    } finally {
      await query('drop role shell_nobody')
    }
  })
})

describe('pipes and signals', () => {
  test('a reader that has had enough ends it without a word', async () => {
    await query(
      `insert into oncekey.records (namespace, scope, key, fingerprint, status)
        select 'http', 'many', repeat('k', 300) || n, 'f', 200 from generate_series(1, 1000) n`,
    )
    const child = startOncekey(['keys', 'list', '--scope', 'many', '--limit', '1000'], {
      DATABASE_URL: url(),
    })
    child.stdout.once('data', () => child.stdout.destroy())
    expect(await ended(child)).toMatchObject({ code: 0, stderr: '' })
  })

  test('SIGINT ends what waits for a server with 130', async () => {
    const silent = createServer(() => {})
    const reached = new Promise<void>((resolve) => silent.once('connection', () => resolve()))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const child = startOncekey(['keys', 'list', '--database', `postgres://x@127.0.0.1:${port}/y`])
    const ran = ended(child)
    await reached
    child.kill('SIGINT')
    expect(await ran).toMatchObject({ code: 130, stdout: '', stderr: '' })
    silent.close()
  })
})

describe('a terminal', () => {
  test('is asked for the word, and another word changes nothing', async ({ skip }) => {
    if (!hasScript()) skip('there is no script(1) of util-linux to make a terminal with')
    await query(
      `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until)
        values ('http', 'pty', 'asked', 'f1', 1, 'pty', now() - interval '1 minute')`,
    )
    const release = ['keys', 'release', 'asked', '--scope', 'pty', '--note', 'why']
    const no = await onTerminal(release, 'yes\n')
    expect(no.output).toContain('Key "asked" of scope "pty" becomes free')
    expect(no.output).toContain('Type asked to go on: ')
    expect(no.output).toContain('Not confirmed: nothing was changed.')
    expect(no.code).toBe(1)
    const yes = await onTerminal(release, 'asked\n')
    expect(yes.output).toContain('released.')
    expect(yes.code).toBe(0)
  })

  test('takes Ctrl-C at the question for a no', async ({ skip }) => {
    if (!hasScript()) skip('there is no script(1) of util-linux to make a terminal with')
    await query(
      `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until)
        values ('http', 'pty', 'left', 'f1', 1, 'left', now() - interval '1 minute')`,
    )
    const left = await onTerminal(
      ['keys', 'release', 'left', '--scope', 'pty', '--note', 'why'],
      '\u0003',
    )
    expect(left.output).toContain('Not confirmed: nothing was changed.')
    expect(left.code).toBe(130)
    expect((await run(['keys', 'get', 'left', '--scope', 'pty'])).stdout).toContain('unknown')
  })

  test('has colour, unless it is told not to; a pipe never has', async ({ skip }) => {
    if (!hasScript()) skip('there is no script(1) of util-linux to make a terminal with')
    const sequence = '\u001b['
    expect((await onTerminal(['doctor'], '')).output).toContain(sequence)
    expect((await onTerminal(['doctor', '--no-color'], '')).output).not.toContain(sequence)
    expect((await onTerminal(['doctor'], '', { NO_COLOR: '1' })).output).not.toContain(sequence)
    expect((await run(['doctor'])).stdout).not.toContain(sequence)
  })
})

function hasScript(): boolean {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux')
  } catch {
    return false
  }
}

/** Runs the program on a pseudo-terminal. `typed` is typed when it asks for a confirmation. */
async function onTerminal(
  args: readonly string[],
  typed: string,
  env: Record<string, string> = {},
) {
  const command = [process.execPath, ...nodeArgs, ...args]
    .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
    .join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    env: { ...bareEnv(), TERM: 'xterm', DATABASE_URL: url(), ...env },
  })
  child.stdout.on('data', (chunk) => {
    // Typed only once the program asks: before that nobody reads the terminal.
    if (String(chunk).includes('to go on: ')) child.stdin.write(typed)
  })
  const { code, stdout } = await ended(child)
  return { code, output: stdout }
}

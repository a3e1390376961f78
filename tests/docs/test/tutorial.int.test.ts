import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, waitFor } from '@oncekey/test-servers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { missingLines, readTutorial } from '../src/tutorial.ts'

const home = join(workspace, 'tests', 'docs')
let base: string
let folder: string
let server: ChildProcess | undefined
let port: number

beforeAll(async () => {
  // Inside of the workspace, so that what the reader installs is found as its packages.
  base = mkdtempSync(join(home, '.tutorial-'))
  folder = base
  port = await freePort()
})

afterAll(async () => {
  await stopServer()
  rmSync(base, { recursive: true, force: true })
})

test('somebody who does what the tutorial says sees what it says', {
  timeout: 300_000,
}, async () => {
  let output = ''
  for (const step of readTutorial(join(workspace, 'docs', 'tutorial.md'))) {
    if (step.kind === 'file') {
      if (step.name === 'server.js') await stopServer() // as the tutorial says before it
      writeFileSync(join(folder, step.name), here(step.text))
    }
    if (step.kind === 'commands') {
      output = ''
      for (const command of step.commands) output += await run(command)
    }
    if (step.kind === 'expect') {
      expect(missingLines(output, step.lines), output).toEqual([])
    }
  }
})

/** A port that nobody else has, instead of the tutorial's. */
const here = (text: string) =>
  text.replaceAll('localhost:3000', `localhost:${port}`).replace('listen(3000)', `listen(${port})`)

async function run(command: string): Promise<string> {
  if (command.startsWith('cd ')) {
    folder = join(folder, command.slice('cd '.length))
    return ''
  }
  if (command === 'node server.js') return startServer()
  if (command.startsWith('npm install ')) return installed(command.split(' ').slice(2))
  // The command may fail: in step 3 it kills the server, so curl gets no answer.
  const shell = promisify(execFile)('bash', ['-c', here(command)], { cwd: folder, env: withTsx() })
  const { stdout } = await shell.catch((error) => {
    if (command.includes('x-crash')) return { stdout: '' }
    throw error
  })
  return `${stdout}\n`
}

/** The workspace's own packages are sources, and nothing is fetched. */
function installed(names: readonly string[]): string {
  const { resolve } = createRequire(join(home, 'package.json'))
  for (const name of names) resolve(name)
  return ''
}

const withTsx = (): NodeJS.ProcessEnv => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  NODE_OPTIONS: `--import ${import.meta.resolve('tsx')}`,
})

async function startServer(): Promise<string> {
  await stopServer()
  const child = spawn(process.execPath, ['server.js'], {
    cwd: folder,
    env: withTsx(),
    stdio: 'inherit',
  })
  server = child
  await waitFor(
    async () => {
      if (child.exitCode !== null) throw new Error(`server.js ended with ${child.exitCode}`)
      return new Promise<boolean>((resolve) => {
        const socket = connect(port, 'localhost', () => resolve(true))
        socket.on('error', () => resolve(false))
        socket.on('connect', () => socket.destroy())
      })
    },
    { what: 'server.js to listen', timeoutMs: 60_000 },
  )
  return ''
}

async function stopServer(): Promise<void> {
  const child = server
  server = undefined
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGINT')
  await once(child, 'exit')
}

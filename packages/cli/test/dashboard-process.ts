import { waitFor } from '@oncekey/test-servers'
import { expect, onTestFinished } from 'vitest'
import { ended, oncekey, type Ran, startOncekey } from './oncekey.ts'

/** A dashboard of the command line, and where it is. */
export interface DashboardProcess {
  readonly url: string
  readonly token: string
  /** The address for a browser, with the token in it. */
  readonly address: string
  /** Runs the program in a process that has no address of a database. */
  through(args: readonly string[]): Promise<Ran>
}

/** Starts `oncekey dashboard`, until the test is over. */
export async function dashboardWith(
  env: Record<string, string>,
  args: readonly string[] = [],
): Promise<DashboardProcess> {
  const child = startOncekey(['dashboard', '--port', '0', ...args], env)
  const over = ended(child)
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await over
  })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  child.stderr.on('data', (chunk) => (printed += chunk))
  await waitFor(() => printed.includes('ONCEKEY_TOKEN=') || child.exitCode !== null, {
    what: 'the address',
  })
  const [, url = '', token = ''] = /ONCEKEY_URL=(\S+) ONCEKEY_TOKEN=(\S+)/.exec(printed) ?? []
  expect(url, printed).not.toBe('')
  const [, address = ''] = /The dashboard is at (\S+)/.exec(printed) ?? []
  const through = (given: readonly string[]) =>
    oncekey(given, { env: { ONCEKEY_URL: url, ONCEKEY_TOKEN: token } })
  return { url, token, address, through }
}

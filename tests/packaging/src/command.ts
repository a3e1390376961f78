import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { workspace } from './packages.ts'

/** Runs a program to its end and returns what it printed. A failure shows all that it said. */
export async function command(
  program: string,
  args: readonly string[],
  { cwd }: { cwd: string },
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, {
      cwd,
      env: cleanEnv(),
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error })
  }
}

/** What a user's shell would have, without what this test run has put there. */
export function cleanEnv(): NodeJS.ProcessEnv {
  const ours =
    /^(VITEST|npm_package_|npm_lifecycle_)|^NODE_(OPTIONS|ENV|PATH|CHANNEL_FD)$|^(TEST|DEV|PROD|SSR|MODE|BASE_URL)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** A program of the workspace's own dependencies: `tsdown`. */
export function ownProgram(name: string): string {
  return join(workspace, 'node_modules', '.bin', name)
}

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { workspace } from './packages.ts'

/**
 * Runs a program to its end and returns its output. The error of a failed program contains
 * everything that it printed.
 */
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

/** The environment of a user's shell, without the variables of this test run. */
export function cleanEnv(): NodeJS.ProcessEnv {
  const ours =
    /^(VITEST|npm_package_|npm_lifecycle_)|^NODE_(OPTIONS|ENV|PATH|CHANNEL_FD)$|^(TEST|DEV|PROD|SSR|MODE|BASE_URL)$/
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)))
}

/** A program among the workspace's own dependencies, such as `tsdown`. */
export function ownProgram(name: string): string {
  return join(workspace, 'node_modules', '.bin', name)
}

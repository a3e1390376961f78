import { readFile } from 'node:fs/promises'
import { usageError } from './cli-error.ts'
import type { Call } from './command.ts'

/** Reads the file that `--<option>` names; `-` means stdin. */
export async function contentOf(
  call: Pick<Call, 'readStdin'>,
  option: string,
  path: string,
): Promise<Buffer> {
  if (path === '-') return await call.readStdin()
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw usageError(`--${option}: "${path}" could not be read (${error.code}).`)
  })
}

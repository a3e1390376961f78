import { createInterface } from 'node:readline'
import { CliError, usageError } from '../command/cli-error.ts'
import { ExitCode } from '../command/exit-code.ts'
import { visible } from '../output/visible.ts'

/**
 * Says on stderr what is about to be done, and waits until the word is typed. Throws if another
 * word is typed, and throws a usage error if there is no terminal.
 */
export async function confirmed(
  what: string,
  word: string,
  at: {
    readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
    readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
    readonly signal: AbortSignal
  },
): Promise<void> {
  if (at.stdin.isTTY !== true || at.stderr.isTTY !== true) {
    throw usageError(`${what} Nobody can be asked here: write --yes if that is meant.`)
  }
  at.stderr.write(`${visible(what)}\nType ${visible(word)} to go on: `)
  const typed = await lineOf(at.stdin, at.signal)
  if (typed === word) return
  throw new CliError(ExitCode.found, 'Not confirmed: nothing was changed.')
}

function lineOf(stdin: NodeJS.ReadableStream, signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    // With `terminal: false`, readline does not handle Ctrl-C, and the process does.
    const lines = createInterface({ input: stdin, terminal: false })
    lines.once('line', (line) => {
      resolve(line.trim())
      lines.close()
    })
    lines.once('close', () => resolve(''))
    signal.addEventListener('abort', () => lines.close(), { once: true })
  })
}

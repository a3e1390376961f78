import { ExitCode } from './exit-code.ts'

/**
 * An error with a sentence for stderr that says what to do, and with the exit code of the process.
 */
export class CliError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

/** A dashboard does not show such things, which says nothing of what there is. */
export class NotShown extends CliError {
  constructor(message: string) {
    super(ExitCode.found, message)
    this.name = 'NotShown'
  }
}

export function usageError(message: string): CliError {
  return new CliError(ExitCode.usage, message)
}

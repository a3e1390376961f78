/** The exit codes of the process. */
export const ExitCode = {
  done: 0,
  /** Something was found, or an act was refused and nothing has changed. */
  found: 1,
  /** The command line is wrong, and nothing was sent to any server. */
  usage: 2,
  /** A server could not be reached, or did not reply in time. */
  unreachable: 3,
  /** The process got SIGINT. */
  interrupted: 130,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

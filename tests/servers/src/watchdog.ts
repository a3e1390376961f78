import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'

/** Something that must not outlive this process. */
export interface Leftover {
  process?: { pid: number; signal: 'SIGKILL' | 'SIGQUIT' }
  /** The leader of a process group; all of the group is killed. */
  group?: number
  folder?: string
  /** The mount point of a volume. */
  mount?: string
}

const leftovers = new Set<Leftover>()
let watchdog: Writable | undefined

/**
 * Has `leftover` killed and removed when this process ends, in whatever way, including SIGKILL. The
 * returned function cancels that.
 *
 * A shell in a session of its own reads from a pipe of this process, which the kernel closes when
 * the process ends. So no handlers for signals or exit are needed.
 */
export function watch(leftover: Leftover): () => void {
  leftovers.add(leftover)
  report()
  return () => {
    leftovers.delete(leftover)
    report()
  }
}

/**
 * Each line lists everything that has to be removed, so the shell keeps only the last line. A
 * zombie does not count as alive, because in a container it may never be collected.
 */
const SHELL = `trap '' HUP INT TERM
alive() {
  kill -0 $1 || return 1
  case $(cat /proc/$1/stat) in *') Z '*) return 1 ;; esac
}
last=:
while IFS= read -r line; do last=$line; done
eval "$last"`

function report(): void {
  watchdog ??= startWatchdog()
  watchdog.write(`${lastWill()}\n`)
}

function startWatchdog(): Writable {
  const shell = spawn('sh', ['-c', SHELL], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  // If somebody killed the watchdog, the tests continue without it.
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  return shell.stdin
}

function lastWill(): string {
  const processes = [...leftovers].flatMap((leftover) => leftover.process ?? [])
  const groups = [...leftovers].flatMap((leftover) => leftover.group ?? [])
  const folders = [...leftovers].flatMap((leftover) => leftover.folder ?? [])
  const mounts = [...leftovers].flatMap((leftover) => leftover.mount ?? [])
  return [
    // Not `kill -KILL -- -1`: dash takes those dashes for a process id and kills nobody.
    ...groups.map((group) => `kill -s KILL -- -${group}`),
    ...processes.map(({ pid, signal }) => `kill -${signal.slice(3)} ${pid}`),
    ...processes.map(({ pid }) => `n=0; ${untilGone(pid)}; kill -KILL ${pid}`),
    // Processes are killed before the folders to which they write are removed.
    ...groups.map((group) => `n=0; ${untilGone(group)}`),
    ...mounts.map((mount) => `umount -l ${quoted(mount)}`),
    `rm -rf -- ${folders.map(quoted).join(' ')}`,
  ].join('; ')
}

function untilGone(pid: number): string {
  return `while alive ${pid} && [ $n -lt 100 ]; do sleep 0.05; n=$((n + 1)); done`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

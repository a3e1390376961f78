export { TerminalError } from './terminal-error.ts'

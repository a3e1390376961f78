export { ExitCode } from './command/exit-code.ts'
export { main } from './main.ts'

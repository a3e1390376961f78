/** Whether every adapter runs on every store: `pnpm matrix`. Other runs take a sample. */
export const isWhole = process.env.MATRIX === 'whole'

/** Whether the bars are held at their full counts: `npm run test:bars` runs every file that asks. Otherwise the counts are small. */
export const full = process.env["SCONCE_TEST_FULL"] === "1";

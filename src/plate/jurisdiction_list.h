/*
 * Jurisdictions: ISO 3166 codes and their numbers.
 *
 * The numbers are on disk. Never renumber and never use a number again: only add. A country's
 * number follows from its letters: 1 + 26 * first + second, A being 0, so 1 to 676. Each
 * country with subdivisions has a hundred from 1000 on. Source: ISO 3166-1, ISO 3166-2.
 */
#ifndef PB_PLATE_JURISDICTION_LIST_H
#define PB_PLATE_JURISDICTION_LIST_H

/* clang-format off */

/* X(alpha-2 letters, alpha-3 letters, name). XK is user-assigned, and on plates. */
#define PB_COUNTRIES(X) \
    X('A', 'D', 'A', 'N', 'D', "AD") \
    X('A', 'E', 'A', 'R', 'E', "AE") \
    X('A', 'F', 'A', 'F', 'G', "AF") \
    X('A', 'G', 'A', 'T', 'G', "AG") \
    X('A', 'I', 'A', 'I', 'A', "AI") \
    X('A', 'L', 'A', 'L', 'B', "AL") \
    X('A', 'M', 'A', 'R', 'M', "AM") \
    X('A', 'O', 'A', 'G', 'O', "AO") \
    X('A', 'Q', 'A', 'T', 'A', "AQ") \
    X('A', 'R', 'A', 'R', 'G', "AR") \
    X('A', 'S', 'A', 'S', 'M', "AS") \
    X('A', 'T', 'A', 'U', 'T', "AT") \
    X('A', 'U', 'A', 'U', 'S', "AU") \
    X('A', 'W', 'A', 'B', 'W', "AW") \
    X('A', 'X', 'A', 'L', 'A', "AX") \
    X('A', 'Z', 'A', 'Z', 'E', "AZ") \
    X('B', 'A', 'B', 'I', 'H', "BA") \
    X('B', 'B', 'B', 'R', 'B', "BB") \
    X('B', 'D', 'B', 'G', 'D', "BD") \
    X('B', 'E', 'B', 'E', 'L', "BE") \
    X('B', 'F', 'B', 'F', 'A', "BF") \
    X('B', 'G', 'B', 'G', 'R', "BG") \
    X('B', 'H', 'B', 'H', 'R', "BH") \
    X('B', 'I', 'B', 'D', 'I', "BI") \
    X('B', 'J', 'B', 'E', 'N', "BJ") \
    X('B', 'L', 'B', 'L', 'M', "BL") \
    X('B', 'M', 'B', 'M', 'U', "BM") \
    X('B', 'N', 'B', 'R', 'N', "BN") \
    X('B', 'O', 'B', 'O', 'L', "BO") \
    X('B', 'Q', 'B', 'E', 'S', "BQ") \
    X('B', 'R', 'B', 'R', 'A', "BR") \
    X('B', 'S', 'B', 'H', 'S', "BS") \
    X('B', 'T', 'B', 'T', 'N', "BT") \
    X('B', 'V', 'B', 'V', 'T', "BV") \
    X('B', 'W', 'B', 'W', 'A', "BW") \
    X('B', 'Y', 'B', 'L', 'R', "BY") \
    X('B', 'Z', 'B', 'L', 'Z', "BZ") \
    X('C', 'A', 'C', 'A', 'N', "CA") \
    X('C', 'C', 'C', 'C', 'K', "CC") \
    X('C', 'D', 'C', 'O', 'D', "CD") \
    X('C', 'F', 'C', 'A', 'F', "CF") \
    X('C', 'G', 'C', 'O', 'G', "CG") \
    X('C', 'H', 'C', 'H', 'E', "CH") \
    X('C', 'I', 'C', 'I', 'V', "CI") \
    X('C', 'K', 'C', 'O', 'K', "CK") \
    X('C', 'L', 'C', 'H', 'L', "CL") \
    X('C', 'M', 'C', 'M', 'R', "CM") \
    X('C', 'N', 'C', 'H', 'N', "CN") \
    X('C', 'O', 'C', 'O', 'L', "CO") \
    X('C', 'R', 'C', 'R', 'I', "CR") \
    X('C', 'U', 'C', 'U', 'B', "CU") \
    X('C', 'V', 'C', 'P', 'V', "CV") \
    X('C', 'W', 'C', 'U', 'W', "CW") \
    X('C', 'X', 'C', 'X', 'R', "CX") \
    X('C', 'Y', 'C', 'Y', 'P', "CY") \
    X('C', 'Z', 'C', 'Z', 'E', "CZ") \
    X('D', 'E', 'D', 'E', 'U', "DE") \
    X('D', 'J', 'D', 'J', 'I', "DJ") \
    X('D', 'K', 'D', 'N', 'K', "DK") \
    X('D', 'M', 'D', 'M', 'A', "DM") \
    X('D', 'O', 'D', 'O', 'M', "DO") \
    X('D', 'Z', 'D', 'Z', 'A', "DZ") \
    X('E', 'C', 'E', 'C', 'U', "EC") \
    X('E', 'E', 'E', 'S', 'T', "EE") \
    X('E', 'G', 'E', 'G', 'Y', "EG") \
    X('E', 'H', 'E', 'S', 'H', "EH") \
    X('E', 'R', 'E', 'R', 'I', "ER") \
    X('E', 'S', 'E', 'S', 'P', "ES") \
    X('E', 'T', 'E', 'T', 'H', "ET") \
    X('F', 'I', 'F', 'I', 'N', "FI") \
    X('F', 'J', 'F', 'J', 'I', "FJ") \
    X('F', 'K', 'F', 'L', 'K', "FK") \
    X('F', 'M', 'F', 'S', 'M', "FM") \
    X('F', 'O', 'F', 'R', 'O', "FO") \
    X('F', 'R', 'F', 'R', 'A', "FR") \
    X('G', 'A', 'G', 'A', 'B', "GA") \
    X('G', 'B', 'G', 'B', 'R', "GB") \
    X('G', 'D', 'G', 'R', 'D', "GD") \
    X('G', 'E', 'G', 'E', 'O', "GE") \
    X('G', 'F', 'G', 'U', 'F', "GF") \
    X('G', 'G', 'G', 'G', 'Y', "GG") \
    X('G', 'H', 'G', 'H', 'A', "GH") \
    X('G', 'I', 'G', 'I', 'B', "GI") \
    X('G', 'L', 'G', 'R', 'L', "GL") \
    X('G', 'M', 'G', 'M', 'B', "GM") \
    X('G', 'N', 'G', 'I', 'N', "GN") \
    X('G', 'P', 'G', 'L', 'P', "GP") \
    X('G', 'Q', 'G', 'N', 'Q', "GQ") \
    X('G', 'R', 'G', 'R', 'C', "GR") \
    X('G', 'S', 'S', 'G', 'S', "GS") \
    X('G', 'T', 'G', 'T', 'M', "GT") \
    X('G', 'U', 'G', 'U', 'M', "GU") \
    X('G', 'W', 'G', 'N', 'B', "GW") \
    X('G', 'Y', 'G', 'U', 'Y', "GY") \
    X('H', 'K', 'H', 'K', 'G', "HK") \
    X('H', 'M', 'H', 'M', 'D', "HM") \
    X('H', 'N', 'H', 'N', 'D', "HN") \
    X('H', 'R', 'H', 'R', 'V', "HR") \
    X('H', 'T', 'H', 'T', 'I', "HT") \
    X('H', 'U', 'H', 'U', 'N', "HU") \
    X('I', 'D', 'I', 'D', 'N', "ID") \
    X('I', 'E', 'I', 'R', 'L', "IE") \
    X('I', 'L', 'I', 'S', 'R', "IL") \
    X('I', 'M', 'I', 'M', 'N', "IM") \
    X('I', 'N', 'I', 'N', 'D', "IN") \
    X('I', 'O', 'I', 'O', 'T', "IO") \
    X('I', 'Q', 'I', 'R', 'Q', "IQ") \
    X('I', 'R', 'I', 'R', 'N', "IR") \
    X('I', 'S', 'I', 'S', 'L', "IS") \
    X('I', 'T', 'I', 'T', 'A', "IT") \
    X('J', 'E', 'J', 'E', 'Y', "JE") \
    X('J', 'M', 'J', 'A', 'M', "JM") \
    X('J', 'O', 'J', 'O', 'R', "JO") \
    X('J', 'P', 'J', 'P', 'N', "JP") \
    X('K', 'E', 'K', 'E', 'N', "KE") \
    X('K', 'G', 'K', 'G', 'Z', "KG") \
    X('K', 'H', 'K', 'H', 'M', "KH") \
    X('K', 'I', 'K', 'I', 'R', "KI") \
    X('K', 'M', 'C', 'O', 'M', "KM") \
    X('K', 'N', 'K', 'N', 'A', "KN") \
    X('K', 'P', 'P', 'R', 'K', "KP") \
    X('K', 'R', 'K', 'O', 'R', "KR") \
    X('K', 'W', 'K', 'W', 'T', "KW") \
    X('K', 'Y', 'C', 'Y', 'M', "KY") \
    X('K', 'Z', 'K', 'A', 'Z', "KZ") \
    X('L', 'A', 'L', 'A', 'O', "LA") \
    X('L', 'B', 'L', 'B', 'N', "LB") \
    X('L', 'C', 'L', 'C', 'A', "LC") \
    X('L', 'I', 'L', 'I', 'E', "LI") \
    X('L', 'K', 'L', 'K', 'A', "LK") \
    X('L', 'R', 'L', 'B', 'R', "LR") \
    X('L', 'S', 'L', 'S', 'O', "LS") \
    X('L', 'T', 'L', 'T', 'U', "LT") \
    X('L', 'U', 'L', 'U', 'X', "LU") \
    X('L', 'V', 'L', 'V', 'A', "LV") \
    X('L', 'Y', 'L', 'B', 'Y', "LY") \
    X('M', 'A', 'M', 'A', 'R', "MA") \
    X('M', 'C', 'M', 'C', 'O', "MC") \
    X('M', 'D', 'M', 'D', 'A', "MD") \
    X('M', 'E', 'M', 'N', 'E', "ME") \
    X('M', 'F', 'M', 'A', 'F', "MF") \
    X('M', 'G', 'M', 'D', 'G', "MG") \
    X('M', 'H', 'M', 'H', 'L', "MH") \
    X('M', 'K', 'M', 'K', 'D', "MK") \
    X('M', 'L', 'M', 'L', 'I', "ML") \
    X('M', 'M', 'M', 'M', 'R', "MM") \
    X('M', 'N', 'M', 'N', 'G', "MN") \
    X('M', 'O', 'M', 'A', 'C', "MO") \
    X('M', 'P', 'M', 'N', 'P', "MP") \
    X('M', 'Q', 'M', 'T', 'Q', "MQ") \
    X('M', 'R', 'M', 'R', 'T', "MR") \
    X('M', 'S', 'M', 'S', 'R', "MS") \
    X('M', 'T', 'M', 'L', 'T', "MT") \
    X('M', 'U', 'M', 'U', 'S', "MU") \
    X('M', 'V', 'M', 'D', 'V', "MV") \
    X('M', 'W', 'M', 'W', 'I', "MW") \
    X('M', 'X', 'M', 'E', 'X', "MX") \
    X('M', 'Y', 'M', 'Y', 'S', "MY") \
    X('M', 'Z', 'M', 'O', 'Z', "MZ") \
    X('N', 'A', 'N', 'A', 'M', "NA") \
    X('N', 'C', 'N', 'C', 'L', "NC") \
    X('N', 'E', 'N', 'E', 'R', "NE") \
    X('N', 'F', 'N', 'F', 'K', "NF") \
    X('N', 'G', 'N', 'G', 'A', "NG") \
    X('N', 'I', 'N', 'I', 'C', "NI") \
    X('N', 'L', 'N', 'L', 'D', "NL") \
    X('N', 'O', 'N', 'O', 'R', "NO") \
    X('N', 'P', 'N', 'P', 'L', "NP") \
    X('N', 'R', 'N', 'R', 'U', "NR") \
    X('N', 'U', 'N', 'I', 'U', "NU") \
    X('N', 'Z', 'N', 'Z', 'L', "NZ") \
    X('O', 'M', 'O', 'M', 'N', "OM") \
    X('P', 'A', 'P', 'A', 'N', "PA") \
    X('P', 'E', 'P', 'E', 'R', "PE") \
    X('P', 'F', 'P', 'Y', 'F', "PF") \
    X('P', 'G', 'P', 'N', 'G', "PG") \
    X('P', 'H', 'P', 'H', 'L', "PH") \
    X('P', 'K', 'P', 'A', 'K', "PK") \
    X('P', 'L', 'P', 'O', 'L', "PL") \
    X('P', 'M', 'S', 'P', 'M', "PM") \
    X('P', 'N', 'P', 'C', 'N', "PN") \
    X('P', 'R', 'P', 'R', 'I', "PR") \
    X('P', 'S', 'P', 'S', 'E', "PS") \
    X('P', 'T', 'P', 'R', 'T', "PT") \
    X('P', 'W', 'P', 'L', 'W', "PW") \
    X('P', 'Y', 'P', 'R', 'Y', "PY") \
    X('Q', 'A', 'Q', 'A', 'T', "QA") \
    X('R', 'E', 'R', 'E', 'U', "RE") \
    X('R', 'O', 'R', 'O', 'U', "RO") \
    X('R', 'S', 'S', 'R', 'B', "RS") \
    X('R', 'U', 'R', 'U', 'S', "RU") \
    X('R', 'W', 'R', 'W', 'A', "RW") \
    X('S', 'A', 'S', 'A', 'U', "SA") \
    X('S', 'B', 'S', 'L', 'B', "SB") \
    X('S', 'C', 'S', 'Y', 'C', "SC") \
    X('S', 'D', 'S', 'D', 'N', "SD") \
    X('S', 'E', 'S', 'W', 'E', "SE") \
    X('S', 'G', 'S', 'G', 'P', "SG") \
    X('S', 'H', 'S', 'H', 'N', "SH") \
    X('S', 'I', 'S', 'V', 'N', "SI") \
    X('S', 'J', 'S', 'J', 'M', "SJ") \
    X('S', 'K', 'S', 'V', 'K', "SK") \
    X('S', 'L', 'S', 'L', 'E', "SL") \
    X('S', 'M', 'S', 'M', 'R', "SM") \
    X('S', 'N', 'S', 'E', 'N', "SN") \
    X('S', 'O', 'S', 'O', 'M', "SO") \
    X('S', 'R', 'S', 'U', 'R', "SR") \
    X('S', 'S', 'S', 'S', 'D', "SS") \
    X('S', 'T', 'S', 'T', 'P', "ST") \
    X('S', 'V', 'S', 'L', 'V', "SV") \
    X('S', 'X', 'S', 'X', 'M', "SX") \
    X('S', 'Y', 'S', 'Y', 'R', "SY") \
    X('S', 'Z', 'S', 'W', 'Z', "SZ") \
    X('T', 'C', 'T', 'C', 'A', "TC") \
    X('T', 'D', 'T', 'C', 'D', "TD") \
    X('T', 'F', 'A', 'T', 'F', "TF") \
    X('T', 'G', 'T', 'G', 'O', "TG") \
    X('T', 'H', 'T', 'H', 'A', "TH") \
    X('T', 'J', 'T', 'J', 'K', "TJ") \
    X('T', 'K', 'T', 'K', 'L', "TK") \
    X('T', 'L', 'T', 'L', 'S', "TL") \
    X('T', 'M', 'T', 'K', 'M', "TM") \
    X('T', 'N', 'T', 'U', 'N', "TN") \
    X('T', 'O', 'T', 'O', 'N', "TO") \
    X('T', 'R', 'T', 'U', 'R', "TR") \
    X('T', 'T', 'T', 'T', 'O', "TT") \
    X('T', 'V', 'T', 'U', 'V', "TV") \
    X('T', 'W', 'T', 'W', 'N', "TW") \
    X('T', 'Z', 'T', 'Z', 'A', "TZ") \
    X('U', 'A', 'U', 'K', 'R', "UA") \
    X('U', 'G', 'U', 'G', 'A', "UG") \
    X('U', 'M', 'U', 'M', 'I', "UM") \
    X('U', 'S', 'U', 'S', 'A', "US") \
    X('U', 'Y', 'U', 'R', 'Y', "UY") \
    X('U', 'Z', 'U', 'Z', 'B', "UZ") \
    X('V', 'A', 'V', 'A', 'T', "VA") \
    X('V', 'C', 'V', 'C', 'T', "VC") \
    X('V', 'E', 'V', 'E', 'N', "VE") \
    X('V', 'G', 'V', 'G', 'B', "VG") \
    X('V', 'I', 'V', 'I', 'R', "VI") \
    X('V', 'N', 'V', 'N', 'M', "VN") \
    X('V', 'U', 'V', 'U', 'T', "VU") \
    X('W', 'F', 'W', 'L', 'F', "WF") \
    X('W', 'S', 'W', 'S', 'M', "WS") \
    X('X', 'K', 'X', 'K', 'X', "XK") \
    X('Y', 'E', 'Y', 'E', 'M', "YE") \
    X('Y', 'T', 'M', 'Y', 'T', "YT") \
    X('Z', 'A', 'Z', 'A', 'F', "ZA") \
    X('Z', 'M', 'Z', 'M', 'B', "ZM") \
    X('Z', 'W', 'Z', 'W', 'E', "ZW")

/* X(first number of its hundred, alpha-2 letters) */
#define PB_COUNTRY_BLOCKS(X) \
    X(1000, 'U', 'S') \
    X(1100, 'C', 'A') \
    X(1200, 'M', 'X') \
    X(1300, 'D', 'E') \
    X(1400, 'A', 'T') \
    X(1500, 'C', 'H') \
    X(1600, 'A', 'U') \
    X(1700, 'G', 'B') \
    X(1800, 'B', 'R') \
    X(1900, 'I', 'N')

/* X(number, country letters, subdivision characters filled up with 0, name, name in full) */
#define PB_SUBDIVISIONS(X) \
    X(1001, 'U', 'S', 'A', 'K', 0, "US-AK", "Alaska") \
    X(1002, 'U', 'S', 'A', 'L', 0, "US-AL", "Alabama") \
    X(1003, 'U', 'S', 'A', 'R', 0, "US-AR", "Arkansas") \
    X(1004, 'U', 'S', 'A', 'S', 0, "US-AS", "American Samoa") \
    X(1005, 'U', 'S', 'A', 'Z', 0, "US-AZ", "Arizona") \
    X(1006, 'U', 'S', 'C', 'A', 0, "US-CA", "California") \
    X(1007, 'U', 'S', 'C', 'O', 0, "US-CO", "Colorado") \
    X(1008, 'U', 'S', 'C', 'T', 0, "US-CT", "Connecticut") \
    X(1009, 'U', 'S', 'D', 'C', 0, "US-DC", "District of Columbia") \
    X(1010, 'U', 'S', 'D', 'E', 0, "US-DE", "Delaware") \
    X(1011, 'U', 'S', 'F', 'L', 0, "US-FL", "Florida") \
    X(1012, 'U', 'S', 'G', 'A', 0, "US-GA", "Georgia") \
    X(1013, 'U', 'S', 'G', 'U', 0, "US-GU", "Guam") \
    X(1014, 'U', 'S', 'H', 'I', 0, "US-HI", "Hawaii") \
    X(1015, 'U', 'S', 'I', 'A', 0, "US-IA", "Iowa") \
    X(1016, 'U', 'S', 'I', 'D', 0, "US-ID", "Idaho") \
    X(1017, 'U', 'S', 'I', 'L', 0, "US-IL", "Illinois") \
    X(1018, 'U', 'S', 'I', 'N', 0, "US-IN", "Indiana") \
    X(1019, 'U', 'S', 'K', 'S', 0, "US-KS", "Kansas") \
    X(1020, 'U', 'S', 'K', 'Y', 0, "US-KY", "Kentucky") \
    X(1021, 'U', 'S', 'L', 'A', 0, "US-LA", "Louisiana") \
    X(1022, 'U', 'S', 'M', 'A', 0, "US-MA", "Massachusetts") \
    X(1023, 'U', 'S', 'M', 'D', 0, "US-MD", "Maryland") \
    X(1024, 'U', 'S', 'M', 'E', 0, "US-ME", "Maine") \
    X(1025, 'U', 'S', 'M', 'I', 0, "US-MI", "Michigan") \
    X(1026, 'U', 'S', 'M', 'N', 0, "US-MN", "Minnesota") \
    X(1027, 'U', 'S', 'M', 'O', 0, "US-MO", "Missouri") \
    X(1028, 'U', 'S', 'M', 'P', 0, "US-MP", "Northern Mariana Islands") \
    X(1029, 'U', 'S', 'M', 'S', 0, "US-MS", "Mississippi") \
    X(1030, 'U', 'S', 'M', 'T', 0, "US-MT", "Montana") \
    X(1031, 'U', 'S', 'N', 'C', 0, "US-NC", "North Carolina") \
    X(1032, 'U', 'S', 'N', 'D', 0, "US-ND", "North Dakota") \
    X(1033, 'U', 'S', 'N', 'E', 0, "US-NE", "Nebraska") \
    X(1034, 'U', 'S', 'N', 'H', 0, "US-NH", "New Hampshire") \
    X(1035, 'U', 'S', 'N', 'J', 0, "US-NJ", "New Jersey") \
    X(1036, 'U', 'S', 'N', 'M', 0, "US-NM", "New Mexico") \
    X(1037, 'U', 'S', 'N', 'V', 0, "US-NV", "Nevada") \
    X(1038, 'U', 'S', 'N', 'Y', 0, "US-NY", "New York") \
    X(1039, 'U', 'S', 'O', 'H', 0, "US-OH", "Ohio") \
    X(1040, 'U', 'S', 'O', 'K', 0, "US-OK", "Oklahoma") \
    X(1041, 'U', 'S', 'O', 'R', 0, "US-OR", "Oregon") \
    X(1042, 'U', 'S', 'P', 'A', 0, "US-PA", "Pennsylvania") \
    X(1043, 'U', 'S', 'P', 'R', 0, "US-PR", "Puerto Rico") \
    X(1044, 'U', 'S', 'R', 'I', 0, "US-RI", "Rhode Island") \
    X(1045, 'U', 'S', 'S', 'C', 0, "US-SC", "South Carolina") \
    X(1046, 'U', 'S', 'S', 'D', 0, "US-SD", "South Dakota") \
    X(1047, 'U', 'S', 'T', 'N', 0, "US-TN", "Tennessee") \
    X(1048, 'U', 'S', 'T', 'X', 0, "US-TX", "Texas") \
    X(1049, 'U', 'S', 'U', 'M', 0, "US-UM", "United States Minor Outlying Islands") \
    X(1050, 'U', 'S', 'U', 'T', 0, "US-UT", "Utah") \
    X(1051, 'U', 'S', 'V', 'A', 0, "US-VA", "Virginia") \
    X(1052, 'U', 'S', 'V', 'I', 0, "US-VI", "Virgin Islands") \
    X(1053, 'U', 'S', 'V', 'T', 0, "US-VT", "Vermont") \
    X(1054, 'U', 'S', 'W', 'A', 0, "US-WA", "Washington") \
    X(1055, 'U', 'S', 'W', 'I', 0, "US-WI", "Wisconsin") \
    X(1056, 'U', 'S', 'W', 'V', 0, "US-WV", "West Virginia") \
    X(1057, 'U', 'S', 'W', 'Y', 0, "US-WY", "Wyoming") \
    X(1101, 'C', 'A', 'A', 'B', 0, "CA-AB", "Alberta") \
    X(1102, 'C', 'A', 'B', 'C', 0, "CA-BC", "British Columbia") \
    X(1103, 'C', 'A', 'M', 'B', 0, "CA-MB", "Manitoba") \
    X(1104, 'C', 'A', 'N', 'B', 0, "CA-NB", "New Brunswick") \
    X(1105, 'C', 'A', 'N', 'L', 0, "CA-NL", "Newfoundland and Labrador") \
    X(1106, 'C', 'A', 'N', 'S', 0, "CA-NS", "Nova Scotia") \
    X(1107, 'C', 'A', 'N', 'T', 0, "CA-NT", "Northwest Territories") \
    X(1108, 'C', 'A', 'N', 'U', 0, "CA-NU", "Nunavut") \
    X(1109, 'C', 'A', 'O', 'N', 0, "CA-ON", "Ontario") \
    X(1110, 'C', 'A', 'P', 'E', 0, "CA-PE", "Prince Edward Island") \
    X(1111, 'C', 'A', 'Q', 'C', 0, "CA-QC", "Quebec") \
    X(1112, 'C', 'A', 'S', 'K', 0, "CA-SK", "Saskatchewan") \
    X(1113, 'C', 'A', 'Y', 'T', 0, "CA-YT", "Yukon") \
    X(1201, 'M', 'X', 'A', 'G', 'U', "MX-AGU", "Aguascalientes") \
    X(1202, 'M', 'X', 'B', 'C', 'N', "MX-BCN", "Baja California") \
    X(1203, 'M', 'X', 'B', 'C', 'S', "MX-BCS", "Baja California Sur") \
    X(1204, 'M', 'X', 'C', 'A', 'M', "MX-CAM", "Campeche") \
    X(1205, 'M', 'X', 'C', 'H', 'H', "MX-CHH", "Chihuahua") \
    X(1206, 'M', 'X', 'C', 'H', 'P', "MX-CHP", "Chiapas") \
    X(1207, 'M', 'X', 'C', 'M', 'X', "MX-CMX", "Ciudad de México") \
    X(1208, 'M', 'X', 'C', 'O', 'A', "MX-COA", "Coahuila") \
    X(1209, 'M', 'X', 'C', 'O', 'L', "MX-COL", "Colima") \
    X(1210, 'M', 'X', 'D', 'U', 'R', "MX-DUR", "Durango") \
    X(1211, 'M', 'X', 'G', 'R', 'O', "MX-GRO", "Guerrero") \
    X(1212, 'M', 'X', 'G', 'U', 'A', "MX-GUA", "Guanajuato") \
    X(1213, 'M', 'X', 'H', 'I', 'D', "MX-HID", "Hidalgo") \
    X(1214, 'M', 'X', 'J', 'A', 'L', "MX-JAL", "Jalisco") \
    X(1215, 'M', 'X', 'M', 'E', 'X', "MX-MEX", "México") \
    X(1216, 'M', 'X', 'M', 'I', 'C', "MX-MIC", "Michoacán") \
    X(1217, 'M', 'X', 'M', 'O', 'R', "MX-MOR", "Morelos") \
    X(1218, 'M', 'X', 'N', 'A', 'Y', "MX-NAY", "Nayarit") \
    X(1219, 'M', 'X', 'N', 'L', 'E', "MX-NLE", "Nuevo León") \
    X(1220, 'M', 'X', 'O', 'A', 'X', "MX-OAX", "Oaxaca") \
    X(1221, 'M', 'X', 'P', 'U', 'E', "MX-PUE", "Puebla") \
    X(1222, 'M', 'X', 'Q', 'U', 'E', "MX-QUE", "Querétaro") \
    X(1223, 'M', 'X', 'R', 'O', 'O', "MX-ROO", "Quintana Roo") \
    X(1224, 'M', 'X', 'S', 'I', 'N', "MX-SIN", "Sinaloa") \
    X(1225, 'M', 'X', 'S', 'L', 'P', "MX-SLP", "San Luis Potosí") \
    X(1226, 'M', 'X', 'S', 'O', 'N', "MX-SON", "Sonora") \
    X(1227, 'M', 'X', 'T', 'A', 'B', "MX-TAB", "Tabasco") \
    X(1228, 'M', 'X', 'T', 'A', 'M', "MX-TAM", "Tamaulipas") \
    X(1229, 'M', 'X', 'T', 'L', 'A', "MX-TLA", "Tlaxcala") \
    X(1230, 'M', 'X', 'V', 'E', 'R', "MX-VER", "Veracruz") \
    X(1231, 'M', 'X', 'Y', 'U', 'C', "MX-YUC", "Yucatán") \
    X(1232, 'M', 'X', 'Z', 'A', 'C', "MX-ZAC", "Zacatecas") \
    X(1301, 'D', 'E', 'B', 'B', 0, "DE-BB", "Brandenburg") \
    X(1302, 'D', 'E', 'B', 'E', 0, "DE-BE", "Berlin") \
    X(1303, 'D', 'E', 'B', 'W', 0, "DE-BW", "Baden-Württemberg") \
    X(1304, 'D', 'E', 'B', 'Y', 0, "DE-BY", "Bayern") \
    X(1305, 'D', 'E', 'H', 'B', 0, "DE-HB", "Bremen") \
    X(1306, 'D', 'E', 'H', 'E', 0, "DE-HE", "Hessen") \
    X(1307, 'D', 'E', 'H', 'H', 0, "DE-HH", "Hamburg") \
    X(1308, 'D', 'E', 'M', 'V', 0, "DE-MV", "Mecklenburg-Vorpommern") \
    X(1309, 'D', 'E', 'N', 'I', 0, "DE-NI", "Niedersachsen") \
    X(1310, 'D', 'E', 'N', 'W', 0, "DE-NW", "Nordrhein-Westfalen") \
    X(1311, 'D', 'E', 'R', 'P', 0, "DE-RP", "Rheinland-Pfalz") \
    X(1312, 'D', 'E', 'S', 'H', 0, "DE-SH", "Schleswig-Holstein") \
    X(1313, 'D', 'E', 'S', 'L', 0, "DE-SL", "Saarland") \
    X(1314, 'D', 'E', 'S', 'N', 0, "DE-SN", "Sachsen") \
    X(1315, 'D', 'E', 'S', 'T', 0, "DE-ST", "Sachsen-Anhalt") \
    X(1316, 'D', 'E', 'T', 'H', 0, "DE-TH", "Thüringen") \
    X(1401, 'A', 'T', '1', 0, 0, "AT-1", "Burgenland") \
    X(1402, 'A', 'T', '2', 0, 0, "AT-2", "Kärnten") \
    X(1403, 'A', 'T', '3', 0, 0, "AT-3", "Niederösterreich") \
    X(1404, 'A', 'T', '4', 0, 0, "AT-4", "Oberösterreich") \
    X(1405, 'A', 'T', '5', 0, 0, "AT-5", "Salzburg") \
    X(1406, 'A', 'T', '6', 0, 0, "AT-6", "Steiermark") \
    X(1407, 'A', 'T', '7', 0, 0, "AT-7", "Tirol") \
    X(1408, 'A', 'T', '8', 0, 0, "AT-8", "Vorarlberg") \
    X(1409, 'A', 'T', '9', 0, 0, "AT-9", "Wien") \
    X(1501, 'C', 'H', 'A', 'G', 0, "CH-AG", "Aargau") \
    X(1502, 'C', 'H', 'A', 'I', 0, "CH-AI", "Appenzell Innerrhoden") \
    X(1503, 'C', 'H', 'A', 'R', 0, "CH-AR", "Appenzell Ausserrhoden") \
    X(1504, 'C', 'H', 'B', 'E', 0, "CH-BE", "Bern") \
    X(1505, 'C', 'H', 'B', 'L', 0, "CH-BL", "Basel-Landschaft") \
    X(1506, 'C', 'H', 'B', 'S', 0, "CH-BS", "Basel-Stadt") \
    X(1507, 'C', 'H', 'F', 'R', 0, "CH-FR", "Fribourg") \
    X(1508, 'C', 'H', 'G', 'E', 0, "CH-GE", "Genève") \
    X(1509, 'C', 'H', 'G', 'L', 0, "CH-GL", "Glarus") \
    X(1510, 'C', 'H', 'G', 'R', 0, "CH-GR", "Graubünden") \
    X(1511, 'C', 'H', 'J', 'U', 0, "CH-JU", "Jura") \
    X(1512, 'C', 'H', 'L', 'U', 0, "CH-LU", "Luzern") \
    X(1513, 'C', 'H', 'N', 'E', 0, "CH-NE", "Neuchâtel") \
    X(1514, 'C', 'H', 'N', 'W', 0, "CH-NW", "Nidwalden") \
    X(1515, 'C', 'H', 'O', 'W', 0, "CH-OW", "Obwalden") \
    X(1516, 'C', 'H', 'S', 'G', 0, "CH-SG", "St. Gallen") \
    X(1517, 'C', 'H', 'S', 'H', 0, "CH-SH", "Schaffhausen") \
    X(1518, 'C', 'H', 'S', 'O', 0, "CH-SO", "Solothurn") \
    X(1519, 'C', 'H', 'S', 'Z', 0, "CH-SZ", "Schwyz") \
    X(1520, 'C', 'H', 'T', 'G', 0, "CH-TG", "Thurgau") \
    X(1521, 'C', 'H', 'T', 'I', 0, "CH-TI", "Ticino") \
    X(1522, 'C', 'H', 'U', 'R', 0, "CH-UR", "Uri") \
    X(1523, 'C', 'H', 'V', 'D', 0, "CH-VD", "Vaud") \
    X(1524, 'C', 'H', 'V', 'S', 0, "CH-VS", "Valais") \
    X(1525, 'C', 'H', 'Z', 'G', 0, "CH-ZG", "Zug") \
    X(1526, 'C', 'H', 'Z', 'H', 0, "CH-ZH", "Zürich") \
    X(1601, 'A', 'U', 'A', 'C', 'T', "AU-ACT", "Australian Capital Territory") \
    X(1602, 'A', 'U', 'N', 'S', 'W', "AU-NSW", "New South Wales") \
    X(1603, 'A', 'U', 'N', 'T', 0, "AU-NT", "Northern Territory") \
    X(1604, 'A', 'U', 'Q', 'L', 'D', "AU-QLD", "Queensland") \
    X(1605, 'A', 'U', 'S', 'A', 0, "AU-SA", "South Australia") \
    X(1606, 'A', 'U', 'T', 'A', 'S', "AU-TAS", "Tasmania") \
    X(1607, 'A', 'U', 'V', 'I', 'C', "AU-VIC", "Victoria") \
    X(1608, 'A', 'U', 'W', 'A', 0, "AU-WA", "Western Australia") \
    X(1701, 'G', 'B', 'E', 'N', 'G', "GB-ENG", "England") \
    X(1702, 'G', 'B', 'N', 'I', 'R', "GB-NIR", "Northern Ireland") \
    X(1703, 'G', 'B', 'S', 'C', 'T', "GB-SCT", "Scotland") \
    X(1704, 'G', 'B', 'W', 'L', 'S', "GB-WLS", "Wales") \
    X(1801, 'B', 'R', 'A', 'C', 0, "BR-AC", "Acre") \
    X(1802, 'B', 'R', 'A', 'L', 0, "BR-AL", "Alagoas") \
    X(1803, 'B', 'R', 'A', 'M', 0, "BR-AM", "Amazonas") \
    X(1804, 'B', 'R', 'A', 'P', 0, "BR-AP", "Amapá") \
    X(1805, 'B', 'R', 'B', 'A', 0, "BR-BA", "Bahia") \
    X(1806, 'B', 'R', 'C', 'E', 0, "BR-CE", "Ceará") \
    X(1807, 'B', 'R', 'D', 'F', 0, "BR-DF", "Distrito Federal") \
    X(1808, 'B', 'R', 'E', 'S', 0, "BR-ES", "Espírito Santo") \
    X(1809, 'B', 'R', 'G', 'O', 0, "BR-GO", "Goiás") \
    X(1810, 'B', 'R', 'M', 'A', 0, "BR-MA", "Maranhão") \
    X(1811, 'B', 'R', 'M', 'G', 0, "BR-MG", "Minas Gerais") \
    X(1812, 'B', 'R', 'M', 'S', 0, "BR-MS", "Mato Grosso do Sul") \
    X(1813, 'B', 'R', 'M', 'T', 0, "BR-MT", "Mato Grosso") \
    X(1814, 'B', 'R', 'P', 'A', 0, "BR-PA", "Pará") \
    X(1815, 'B', 'R', 'P', 'B', 0, "BR-PB", "Paraíba") \
    X(1816, 'B', 'R', 'P', 'E', 0, "BR-PE", "Pernambuco") \
    X(1817, 'B', 'R', 'P', 'I', 0, "BR-PI", "Piauí") \
    X(1818, 'B', 'R', 'P', 'R', 0, "BR-PR", "Paraná") \
    X(1819, 'B', 'R', 'R', 'J', 0, "BR-RJ", "Rio de Janeiro") \
    X(1820, 'B', 'R', 'R', 'N', 0, "BR-RN", "Rio Grande do Norte") \
    X(1821, 'B', 'R', 'R', 'O', 0, "BR-RO", "Rondônia") \
    X(1822, 'B', 'R', 'R', 'R', 0, "BR-RR", "Roraima") \
    X(1823, 'B', 'R', 'R', 'S', 0, "BR-RS", "Rio Grande do Sul") \
    X(1824, 'B', 'R', 'S', 'C', 0, "BR-SC", "Santa Catarina") \
    X(1825, 'B', 'R', 'S', 'E', 0, "BR-SE", "Sergipe") \
    X(1826, 'B', 'R', 'S', 'P', 0, "BR-SP", "São Paulo") \
    X(1827, 'B', 'R', 'T', 'O', 0, "BR-TO", "Tocantins") \
    X(1901, 'I', 'N', 'A', 'N', 0, "IN-AN", "Andaman and Nicobar Islands") \
    X(1902, 'I', 'N', 'A', 'P', 0, "IN-AP", "Andhra Pradesh") \
    X(1903, 'I', 'N', 'A', 'R', 0, "IN-AR", "Arunachal Pradesh") \
    X(1904, 'I', 'N', 'A', 'S', 0, "IN-AS", "Assam") \
    X(1905, 'I', 'N', 'B', 'R', 0, "IN-BR", "Bihar") \
    X(1906, 'I', 'N', 'C', 'G', 0, "IN-CG", "Chhattisgarh") \
    X(1907, 'I', 'N', 'C', 'H', 0, "IN-CH", "Chandigarh") \
    X(1908, 'I', 'N', 'D', 'H', 0, "IN-DH", "Dadra and Nagar Haveli and Daman and Diu") \
    X(1909, 'I', 'N', 'D', 'L', 0, "IN-DL", "Delhi") \
    X(1910, 'I', 'N', 'G', 'A', 0, "IN-GA", "Goa") \
    X(1911, 'I', 'N', 'G', 'J', 0, "IN-GJ", "Gujarat") \
    X(1912, 'I', 'N', 'H', 'P', 0, "IN-HP", "Himachal Pradesh") \
    X(1913, 'I', 'N', 'H', 'R', 0, "IN-HR", "Haryana") \
    X(1914, 'I', 'N', 'J', 'H', 0, "IN-JH", "Jharkhand") \
    X(1915, 'I', 'N', 'J', 'K', 0, "IN-JK", "Jammu and Kashmir") \
    X(1916, 'I', 'N', 'K', 'A', 0, "IN-KA", "Karnataka") \
    X(1917, 'I', 'N', 'K', 'L', 0, "IN-KL", "Kerala") \
    X(1918, 'I', 'N', 'L', 'A', 0, "IN-LA", "Ladakh") \
    X(1919, 'I', 'N', 'L', 'D', 0, "IN-LD", "Lakshadweep") \
    X(1920, 'I', 'N', 'M', 'H', 0, "IN-MH", "Maharashtra") \
    X(1921, 'I', 'N', 'M', 'L', 0, "IN-ML", "Meghalaya") \
    X(1922, 'I', 'N', 'M', 'N', 0, "IN-MN", "Manipur") \
    X(1923, 'I', 'N', 'M', 'P', 0, "IN-MP", "Madhya Pradesh") \
    X(1924, 'I', 'N', 'M', 'Z', 0, "IN-MZ", "Mizoram") \
    X(1925, 'I', 'N', 'N', 'L', 0, "IN-NL", "Nagaland") \
    X(1926, 'I', 'N', 'O', 'D', 0, "IN-OD", "Odisha") \
    X(1927, 'I', 'N', 'P', 'B', 0, "IN-PB", "Punjab") \
    X(1928, 'I', 'N', 'P', 'Y', 0, "IN-PY", "Puducherry") \
    X(1929, 'I', 'N', 'R', 'J', 0, "IN-RJ", "Rajasthan") \
    X(1930, 'I', 'N', 'S', 'K', 0, "IN-SK", "Sikkim") \
    X(1931, 'I', 'N', 'T', 'N', 0, "IN-TN", "Tamil Nadu") \
    X(1932, 'I', 'N', 'T', 'R', 0, "IN-TR", "Tripura") \
    X(1933, 'I', 'N', 'T', 'S', 0, "IN-TS", "Telangana") \
    X(1934, 'I', 'N', 'U', 'K', 0, "IN-UK", "Uttarakhand") \
    X(1935, 'I', 'N', 'U', 'P', 0, "IN-UP", "Uttar Pradesh") \
    X(1936, 'I', 'N', 'W', 'B', 0, "IN-WB", "West Bengal")

/* Codes that ISO 3166-2 had before: X(number, country letters, subdivision characters) */
#define PB_SUBDIVISION_ALIASES(X) \
    X(1105, 'C', 'A', 'N', 'F', 0) /* now CA-NL */ \
    X(1111, 'C', 'A', 'P', 'Q', 0) /* now CA-QC */ \
    X(1207, 'M', 'X', 'D', 'I', 'F') /* now MX-CMX */ \
    X(1906, 'I', 'N', 'C', 'T', 0) /* now IN-CG */ \
    X(1926, 'I', 'N', 'O', 'R', 0) /* now IN-OD */ \
    X(1933, 'I', 'N', 'T', 'G', 0) /* now IN-TS */ \
    X(1934, 'I', 'N', 'U', 'T', 0) /* now IN-UK */

/* clang-format on */

#endif

-- dialer_country(p_project) -> two letters, NULL: none
-- By which country's numbering plan the numbers of a project's cases are read: dialer_params.country, else country in
-- dialer_settings, as dialer_screen has taken it over.
CREATE OR REPLACE FUNCTION dialer_country(p_project varchar(400))
RETURNS varchar(2)
READS SQL DATA
BEGIN
    -- Two lookups: a project without a row goes by the installation's.
    RETURN coalesce(
        (SELECT n.country FROM dialer_numbering n WHERE n.project_id = p_project),
        (SELECT n.country FROM dialer_numbering n WHERE n.project_id = ''));
END
